import { useEffect, useRef } from "preact/hooks";
import { clock, count } from "../shared/format.ts";
import { ItemBuffer } from "./item-buffer.ts";
import { Listing, PauseButton, useBuffer } from "./listing.tsx";

/** What `hub.logs` brings. */
export interface LogLine {
  readonly level: string;
  readonly time: string;
  readonly msg: string;
}

interface Line extends LogLine {
  readonly key: number;
}

const CAPACITY = 2000;
const LEVELS: readonly string[] = ["trace", "debug", "info", "warn", "error", "fatal"];

/** The last lines that the server logged. */
export class LogLines {
  readonly buffer: ItemBuffer<Line> = new ItemBuffer(CAPACITY);
  #key = 0;
  /** The time of the last line, and what was logged at that time. */
  #last = "";
  readonly #atLast = new Set<string>();
  /** Lines that came while the page asks for those before them. */
  #waiting: LogLine[] | undefined;

  /** What comes from now on waits for `fill`. */
  wait(): void {
    this.#waiting ??= [];
  }

  /** Adds what was logged before, and then what waits. */
  fill(before: readonly LogLine[]): void {
    const lines = [...before, ...(this.#waiting ?? [])];
    this.#waiting = undefined;
    for (const line of lines) if (!this.#has(line)) this.add(line);
  }

  add(line: LogLine): void {
    if (this.#waiting !== undefined) {
      this.#waiting.push(line);
      return;
    }
    const { level, time, msg } = line;
    if (time !== this.#last) this.#atLast.clear();
    this.#last = time;
    this.#atLast.add(msg);
    this.buffer.push({ key: this.#key++, level, time, msg });
  }

  #has({ time, msg }: LogLine): boolean {
    return time < this.#last || (time === this.#last && this.#atLast.has(msg));
  }
}

/** The lines that the server logs, with a filter. */
export function ServerLog({ lines: { buffer } }: { readonly lines: LogLines }) {
  const text = useRef<HTMLInputElement>(null);
  const level = useRef<HTMLSelectElement>(null);
  useBuffer(buffer);
  const filter = (): void => {
    const words = text.current?.value.trim().toLowerCase() ?? "";
    const least = LEVELS.indexOf(level.current?.value ?? "");
    buffer.filter((line) => LEVELS.indexOf(line.level) >= least && line.msg.toLowerCase().includes(words));
  };
  useEffect(filter, []);
  const all = buffer.size === 1 ? "1 line" : `${count(buffer.size)} lines`;
  const shown = buffer.shown.length === buffer.size ? all : `${count(buffer.shown.length)} of ${all}`;
  return (
    <section class="panel logs" aria-labelledby="logs-title">
      <header>
        <h2 id="logs-title">Server log</h2>
        <p id="logs-count" class="count">
          {buffer.size === 0 ? "None yet" : shown + (buffer.paused ? ", paused" : "")}
        </p>
        <input
          id="logs-text"
          ref={text}
          type="search"
          placeholder="Containing"
          aria-label="Only lines containing"
          onInput={filter}
        />
        <select id="logs-level" ref={level} aria-label="Only lines of this level or worse" onInput={filter}>
          <option value="trace">All levels</option>
          {["info", "warn", "error"].map((name) => (
            <option key={name} value={name}>{`${name} and worse`}</option>
          ))}
        </select>
        <PauseButton id="logs-pause" buffer={buffer} />
      </header>
      <Listing
        id="logs"
        label="Lines the server logs, the newest last"
        detailLabel="The line chosen"
        buffer={buffer}
        row={row}
        describe={({ level: name, time, msg }) => `${time}  ${name}\n${msg}`}
      />
    </section>
  );
}

function row({ level, time, msg }: Line) {
  const cells = (
    <>
      <time>{clock(Date.parse(time))}</time>
      <b>{level}</b>
      <span>{msg}</span>
    </>
  );
  return { kind: `level-${LEVELS.includes(level) ? level : "info"}`, cells };
}
