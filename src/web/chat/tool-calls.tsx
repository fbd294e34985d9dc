import { Component, type ComponentChild } from "preact";
import type { Message } from "../../client/index.ts";
import { decimal, duration } from "../shared/format.ts";
import { readable } from "../shared/names.ts";
import { dayName, isSameDay } from "./grouping.ts";
import { Face, Head, messageRowId } from "./message-row.tsx";
import { Said } from "./said.tsx";
import { recognised, toolCallOf, toolResultOf, type Call } from "./tool-call.ts";

/** Calls in a row that are shown without being asked for. */
const FEW = 2;
/** Characters of the arguments beside the name of the tool. */
const MAX_GIST = 80;

interface ToolCallsRowProps {
  /** One after the other, by one sender. */
  readonly calls: readonly Call[];
  readonly above: Message | undefined;
}

/** What an agent did with tools, a card each; many are folded into one line. */
export class ToolCallsRow extends Component<ToolCallsRowProps> {
  override shouldComponentUpdate({ calls, above }: ToolCallsRowProps): boolean {
    const { calls: before } = this.props;
    const isSame = (call: Call, index: number): boolean =>
      call.call === before[index]?.call && call.result === before[index]?.result;
    return above !== this.props.above || calls.length !== before.length || !calls.every(isSame);
  }

  override render(): ComponentChild {
    const { calls, above } = this.props;
    const [first] = calls;
    const message = first?.call ?? first?.result;
    if (message === undefined) return null;
    const time = new Date(message.time);
    const cards = calls.map((call) => <ToolCallCard key={keyOf(call)} {...call} />);
    return (
      <li class="row head">
        {(above === undefined || !isSameDay(time, new Date(above.time))) && (
          <h2 class="day">
            <span>{dayName(time, new Date())}</span>
          </h2>
        )}
        <Face sender={message.sender} isAgent={message.via === "tool"} />
        <Head message={message} time={time} hasEvent={false} />
        <div class="calls">
          {calls.length <= FEW ? (
            cards
          ) : (
            <details class="run">
              <summary>{summaryOf(calls)}</summary>
              {cards}
            </details>
          )}
        </div>
      </li>
    );
  }
}

/** One call: what was called and how it went; with what and what came of it, if that is asked for. */
function ToolCallCard({ call, result }: Call) {
  const called = call && toolCallOf(call);
  const came = result && toolResultOf(result);
  const state = stateOf({ call, result });
  const took = came?.durationMs ?? (call && result ? Date.parse(result.time) - Date.parse(call.time) : undefined);
  const rest = { ...called?.rest, ...came?.rest };
  return (
    <details id={idOf(call ?? result)} class={`call ${state}`}>
      <summary>
        <span class="mark" aria-hidden="true">
          {MARKS[state]}
        </span>
        <code>{called === undefined ? "result" : readable(called.name)}</code>
        {called !== undefined && <span class="gist">{gistOf(called.arguments)}</span>}
        <span class="took">
          {state === "running" ? (
            "no result yet"
          ) : state === "failed" ? (
            "failed"
          ) : (
            <span class="unseen">succeeded</span>
          )}
          {took !== undefined && ` ${tookText(took)}`}
        </span>
      </summary>
      {called?.arguments !== undefined && <Part title="Arguments" value={called.arguments} />}
      {came !== undefined && (
        <div id={call === undefined ? undefined : idOf(result)}>
          <Part title={came.isError ? "Error" : "Result"} value={came.result} />
        </div>
      )}
      {Object.keys(rest).length > 0 && <Part title="Other fields" value={rest} />}
    </details>
  );
}

/** The id in the page of the part that shows a message. */
function idOf(message: Message | undefined): string | undefined {
  return message?.id == null ? undefined : messageRowId(message.id);
}

function Part({ title, value }: { readonly title: string; readonly value: unknown }) {
  return (
    <>
      <p>{title}</p>
      <Said data={value === undefined ? "" : recognised(value)} />
    </>
  );
}

type State = "running" | "done" | "failed";
const MARKS: Readonly<Record<State, string>> = { running: "…", done: "✓", failed: "×" };

function stateOf({ result }: Call): State {
  if (result === undefined) return "running";
  return toolResultOf(result)?.isError === true ? "failed" : "done";
}

function summaryOf(calls: readonly Call[]): string {
  const count = (state: State): number => calls.filter((call) => stateOf(call) === state).length;
  const [failed, running] = [count("failed"), count("running")];
  const names = new Set(calls.flatMap(({ call }) => (call && toolCallOf(call)?.name) ?? []));
  const states = [failed > 0 && `${failed} failed`, running > 0 && `${running} without a result yet`];
  const which = readable([...names].join(", "));
  const shown = which.length > MAX_GIST ? `${which.slice(0, MAX_GIST)}…` : which;
  return [`${calls.length} tool calls: ${shown}`, ...states.filter((state) => state !== false)].join(" · ");
}

function gistOf(given: unknown): string {
  const json = given === undefined ? "" : JSON.stringify(recognised(given));
  return readable(json.length > MAX_GIST ? `${json.slice(0, MAX_GIST)}…` : json);
}

function tookText(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  const seconds = milliseconds / 1000;
  return seconds < 60 ? `${decimal(seconds)} s` : duration(seconds);
}

function keyOf({ call, result }: Call): string {
  return (call ?? result)?.id ?? "";
}
