import type { Message } from "../../client/index.ts";
import { checkedPatterns, covers } from "../../client/pattern.ts";
import { readable } from "../shared/names.ts";
import { made } from "../made.ts";
import { element, labelled, onPause } from "../page.ts";
import { clock, count } from "../shared/format.ts";
import { Rows } from "./rows.ts";

/** A message, or a remark of ours, in the tail. */
interface Line {
  readonly message: Message | undefined;
  readonly time: number;
  readonly text: string;
  /** What the filter looks in. */
  readonly haystack: string;
}

const CAPACITY = 5000;
/** Characters of a message that its row has. */
const SHOWN = 300;
/** Characters of a message that are kept. */
const LONGEST = 4000;

/** The messages of all channels as they come. */
export class Tail {
  readonly #rows: Rows<Line>;
  readonly #text = element("tail-text", HTMLInputElement);
  readonly #channel = element("tail-channel", HTMLInputElement);
  readonly #count = element("tail-count", HTMLElement);
  #came = 0;
  /** Why the filter lets nothing through, where it can let nothing through. */
  #wrong: string | undefined;

  constructor() {
    this.#rows = new Rows<Line>({
      box: element("tail", HTMLElement),
      detail: element("tail-detail", HTMLElement),
      newest: element("tail-newest", HTMLButtonElement),
      capacity: CAPACITY,
      fill,
      describe,
      onFrame: () => this.#tell(),
    });
    for (const field of [this.#text, this.#channel]) field.addEventListener("input", () => this.#filter());
    onPause(element("tail-pause", HTMLButtonElement), (paused) => this.#rows.pause(paused));
  }

  add(message: Message): void {
    this.#came++;
    const { data, sender, channel, event } = message;
    const whole = typeof data === "string" ? data : JSON.stringify(data);
    const text = whole.length > LONGEST ? `${whole.slice(0, LONGEST)}…` : whole;
    const haystack = `${channel} ${event} ${sender} ${text}`.toLowerCase();
    // What is kept is cut, too, or five thousand long messages would take hundreds of megabytes.
    const kept = text === whole ? message : { ...message, data: text };
    this.#rows.push({ message: kept, time: Date.parse(message.time), text, haystack });
  }

  /** Says something in the place where it happened. */
  remark(text: string): void {
    this.#rows.push({ message: undefined, time: Date.now(), text, haystack: "" });
  }

  /** Shows one channel only. */
  only(channel: string): void {
    this.#channel.value = channel;
    this.#filter();
  }

  #filter(): void {
    const words = this.#text.value.trim().toLowerCase();
    const channel = this.#channel.value.trim();
    this.#wrong = channel === "" ? undefined : whyNoPattern(channel);
    this.#channel.ariaInvalid = String(this.#wrong !== undefined);
    this.#rows.filter(({ message, haystack }) => {
      if (message === undefined) return true;
      return haystack.includes(words) && (channel === "" || covers(channel, message.channel));
    });
  }

  #tell(): void {
    this.#count.classList.toggle("bad", this.#wrong !== undefined);
    if (this.#wrong !== undefined) return labelled(this.#count, this.#wrong);
    const { kept } = this.#rows;
    const isFiltered = this.#text.value.trim() !== "" || this.#channel.value.trim() !== "";
    const shown = isFiltered
      ? `${count(kept.shown.length)} of the last ${count(kept.candidates)}`
      : `${count(this.#came)} came`;
    labelled(this.#count, kept.paused && kept.held > 0 ? `${shown}, ${count(kept.held)} held back` : shown);
  }
}

/** Why a text covers no channel; undefined where it may cover some. */
function whyNoPattern(text: string): string | undefined {
  try {
    checkedPatterns(text);
    return undefined;
  } catch {
    const rule = text.includes("*") ? "* stands alone or after a last dot: orders.*" : "use orders.eu, orders.* or *";
    return `No channel or pattern; ${rule}`;
  }
}

function fill(row: HTMLElement, { message, time, text }: Line): void {
  if (message === undefined) row.classList.add("remark");
  const { channel = "", event = "message", sender = "" } = message ?? {};
  const named = event === "message" ? [] : [made("code", "event", readable(event))];
  row.append(made("time", "", clock(time)), made("b", "", channel), made("i", "", readable(sender)));
  row.append(...named, made("span", "", text.slice(0, SHOWN)));
}

function describe({ message, text }: Line): string {
  if (message === undefined) return text;
  const { id, channel, event, sender, time, data } = message;
  const head = `${time}  ${channel}  ${readable(event)}  from ${readable(sender)}  ${id ?? "not kept"}`;
  return `${head}\n${typeof data === "string" ? data : JSON.stringify(data, null, 2)}`;
}
