import { useEffect, useRef } from "preact/hooks";
import { clock, count } from "../shared/format.ts";
import { Listing, PauseButton, useBuffer } from "./listing.tsx";
import type { Line, LogLines } from "./log-lines.ts";

const LEVELS: readonly string[] = ["trace", "debug", "info", "warn", "error", "fatal"];

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
