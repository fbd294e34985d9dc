import { useEffect, useRef, useState } from "preact/hooks";
import type { Message } from "../../client/index.ts";
import { checkedPatterns, covers } from "../../client/pattern.ts";
import { clock, count } from "../shared/format.ts";
import { readable } from "../shared/names.ts";
import { ItemBuffer } from "./item-buffer.ts";
import { Listing, PauseButton, useBuffer } from "./listing.tsx";

/** A message, or a remark of the page itself. */
interface Line {
  readonly key: number;
  readonly message: Message | undefined;
  readonly time: number;
  readonly text: string;
  /** What the filter looks in. */
  readonly searched: string;
}

const CAPACITY = 5000;
/** Characters of a message that its row has. */
const SHOWN = 300;
/** Characters of a message that are kept. */
const MAX_CHARACTERS = 4000;

/** What the page has read of all channels. */
export class TailLines {
  readonly buffer: ItemBuffer<Line> = new ItemBuffer(CAPACITY);
  count = 0;
  #key = 0;
  /** The id of the last message that is kept. */
  #last: string | undefined;

  /** Adds those of the last messages that it does not have, and returns them; `hasEarlier`: there are others before them. */
  fill(messages: readonly Message[], hasEarlier: boolean): readonly Message[] {
    const known = messages.findLastIndex(({ id }) => id === this.#last);
    if (known === -1 && this.#last !== undefined && hasEarlier) {
      this.remark("Messages before the next are not shown here; the channel's history has them");
    }
    const fresh = messages.slice(known + 1);
    for (const message of fresh) this.add(message);
    return fresh;
  }

  add(message: Message): void {
    this.count++;
    this.#last = message.id ?? this.#last;
    const { data, sender, channel, event } = message;
    const whole = typeof data === "string" ? data : JSON.stringify(data);
    const text = whole.length > MAX_CHARACTERS ? `${whole.slice(0, MAX_CHARACTERS)}…` : whole;
    const searched = `${channel} ${event} ${sender} ${text}`.toLowerCase();
    // What is kept is cut, too: thousands of long messages would take hundreds of megabytes.
    const kept = text === whole ? message : { ...message, data: text };
    this.buffer.push({ key: this.#key++, message: kept, time: Date.parse(message.time), text, searched });
  }

  /** Says something in the place where it happened. */
  remark(text: string): void {
    this.buffer.push({ key: this.#key++, message: undefined, time: Date.now(), text, searched: "" });
  }
}

interface TailProps {
  readonly lines: TailLines;
  /** If they are those of one channel: what they are called. */
  readonly of?: { readonly title: string; readonly label: string };
}

const OF_ALL = { title: "Messages", label: "Messages of all channels, the newest last" };

/** Messages as they come, with a filter. */
export function Tail({ lines, of }: TailProps) {
  const { buffer } = lines;
  const { title, label } = of ?? OF_ALL;
  const channelField = useRef<HTMLInputElement>(null);
  const words = useRef<HTMLInputElement>(null);
  const [{ isFiltered, wrong }, setFilter] = useState<{ isFiltered: boolean; wrong?: string | undefined }>({
    isFiltered: false,
  });
  useBuffer(buffer);
  const filter = (): void => {
    const text = words.current?.value.trim().toLowerCase() ?? "";
    const channel = channelField.current?.value.trim() ?? "";
    setFilter({ isFiltered: text !== "" || channel !== "", wrong: channel === "" ? undefined : whyNoPattern(channel) });
    buffer.filter(({ message, searched }) => {
      if (message === undefined) return true;
      return searched.includes(text) && (channel === "" || covers(channel, message.channel));
    });
  };
  // What was typed before the script was there counts.
  useEffect(filter, []);
  const shown = isFiltered
    ? `${count(buffer.shown.length)} of the last ${count(buffer.candidates)}`
    : lines.count === 1
      ? "1 message"
      : `${count(lines.count)} messages`;
  const told = buffer.held > 0 ? `${shown}, ${count(buffer.held)} held back` : shown;
  return (
    <section class={of === undefined ? "panel tail" : "panel tail one"} aria-labelledby="tail-title">
      <header>
        <h2 id="tail-title">{title}</h2>
        <p id="tail-count" class={wrong === undefined ? "count" : "count bad"}>
          {wrong ?? told}
        </p>
        <input
          id="tail-text"
          ref={words}
          type="search"
          placeholder="Containing"
          aria-label="Only messages containing"
          onInput={filter}
        />
        {of === undefined && (
          <input
            id="tail-channel"
            ref={channelField}
            type="search"
            placeholder="Channel or orders.*"
            aria-label="Only this channel or pattern"
            aria-describedby="tail-count"
            aria-invalid={wrong !== undefined}
            spellcheck={false}
            autocapitalize="off"
            onInput={filter}
          />
        )}
        <PauseButton id="tail-pause" buffer={buffer} />
      </header>
      <Listing id="tail" label={label} detailLabel="The message chosen" buffer={buffer} row={row} describe={describe} />
    </section>
  );
}

/** Why a text covers no channel; undefined if it may cover some. */
function whyNoPattern(text: string): string | undefined {
  try {
    checkedPatterns(text);
    return undefined;
  } catch {
    const rule = text.includes("*") ? "* stands alone or after a last dot: orders.*" : "use orders.eu, orders.* or *";
    return `No channel or pattern; ${rule}`;
  }
}

function row({ message, time, text }: Line) {
  const { channel = "", event = "message", sender = "" } = message ?? {};
  const cells = (
    <>
      <time>{clock(time)}</time>
      <b>{channel}</b>
      <i>{readable(sender)}</i>
      {event !== "message" && <code class="event">{readable(event)}</code>}
      <span>{text.slice(0, SHOWN)}</span>
    </>
  );
  return { kind: message === undefined ? "remark" : "", cells };
}

function describe({ message, text }: Line): string {
  if (message === undefined) return text;
  const { id, channel, event, sender, time, data } = message;
  const head = `${time}  ${channel}  ${readable(event)}  from ${readable(sender)}  ${id ?? "not kept"}`;
  return `${head}\n${typeof data === "string" ? data : JSON.stringify(data, null, 2)}`;
}
