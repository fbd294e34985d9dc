import type { BridgeState, BridgeStatus } from "../../protocol/bridge-status.ts";
import { clock, compact, decimal } from "../shared/format.ts";

/** What `hub.bridges` brings. */
export interface BridgesTold {
  /** ISO 8601. */
  readonly time: string;
  readonly bridges: readonly BridgeStatus[];
}

/** What it brought last, and the time before. */
export interface BridgesSeen {
  readonly now: BridgesTold;
  readonly before: BridgesTold | undefined;
}

const SECOND = 1000;
const STATES: Readonly<Record<BridgeState, string>> = {
  connecting: "Connecting",
  running: "Running",
  standby: "Another node works",
  stopped: "Stopped",
  closed: "Closed",
};

/** The bridges of this node, if there are any. */
export function Bridges({ seen }: { readonly seen: BridgesSeen | undefined }) {
  if (seen === undefined || seen.now.bridges.length === 0) return null;
  const { bridges } = seen.now;
  const down = bridges.filter(({ state }) => state !== "running" && state !== "standby").length;
  return (
    <section class="panel nodes" aria-labelledby="bridges-title">
      <header>
        <h2 id="bridges-title">Bridges</h2>
        <p id="bridges-count" class="count">
          {down === 0 ? bridges.length : `${bridges.length}; ${down} of them not running`}
        </p>
      </header>
      <div class="scroll" tabIndex={0} role="group" aria-label="Bridges to other buses">
        <table>
          <thead>
            <tr>
              {["Bridge", "State", "In per s", "Out per s", "Waiting", "Rejected", "Last error"].map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody id="bridge-rows">
            {bridges.map((bridge) => (
              <Row key={bridge.name} bridge={bridge} seen={seen} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Row({ bridge, seen }: { readonly bridge: BridgeStatus; readonly seen: BridgesSeen }) {
  const { name, kind, state, lag, isBehind, rejected, refused, error, errorTime } = bridge;
  const rate = (of: "received" | "sent"): string => decimal(ratePerSecond(name, of, seen));
  const waits = [lag === null ? undefined : `${compact(lag)} in`, isBehind ? "some out" : undefined];
  return (
    <tr>
      <th scope="row">
        {name} <span class="count">{kind}</span>
      </th>
      <td>{STATES[state]}</td>
      <td>{rate("received")}</td>
      <td>{rate("sent")}</td>
      <td>{waits.filter((some) => some !== undefined).join(", ") || "–"}</td>
      <td>{compact(rejected + refused)}</td>
      <td title={error ?? undefined}>{errorTime === null ? "–" : `${clock(Date.parse(errorTime))} ${error}`}</td>
    </tr>
  );
}

/** NaN before there is anything to compare with. */
function ratePerSecond(name: string, of: "received" | "sent", { now, before }: BridgesSeen): number {
  const [last, first] = [now, before].map((told) => told?.bridges.find((bridge) => bridge.name === name)?.[of]);
  if (before === undefined || last === undefined || first === undefined) return NaN;
  const seconds = (Date.parse(now.time) - Date.parse(before.time)) / SECOND;
  // A node that started again, or another one, counts from 0.
  return seconds <= 0 ? NaN : Math.max(last - first, 0) / seconds;
}
