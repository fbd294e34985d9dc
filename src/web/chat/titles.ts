// What channels are called by people, in any script: the address of a channel stays what it is.
import type { Message } from "../../client/index.ts";
import { plainName } from "../shared/names.ts";

/** The event of a message that says what its channel is called; the newest counts. */
export const TITLE_EVENT = "channel";

const MAX_TITLE = 80;
const MAX_TOPIC = 200;

export interface Title {
  /** Empty if the channel is called by its address again. */
  readonly title: string;
  readonly topic: string;
}

/** What a message says its channel is called; undefined if it says nothing of that. */
export function titleIn({ id, event, data }: Message): Title | undefined {
  if (event !== TITLE_EVENT || id === null || typeof data !== "object" || data === null) return undefined;
  const { title, topic = "", ...rest } = data as Readonly<Record<string, unknown>>;
  if (typeof title !== "string" || typeof topic !== "string" || Object.keys(rest).length > 0) return undefined;
  if (title.length > MAX_TITLE || topic.length > MAX_TOPIC) return undefined;
  return { title: plainName(title), topic: plainName(topic) };
}

interface Known extends Title {
  /** The time of the message that said so. */
  readonly time: string;
}

/** Channels whose titles are remembered. */
const MAX_TITLES = 200;

/** What channels are called, as far as it was heard. */
export class Titles {
  readonly #keep: (known: Readonly<Record<string, Known>>) => void;
  #known: Readonly<Record<string, Known>>;

  /** `remembered` is what `keep` was given before, or anything. */
  constructor(remembered: unknown = null, keep: (known: Readonly<Record<string, Known>>) => void = () => {}) {
    this.#known = knownIn(remembered);
    this.#keep = keep;
  }

  /** Returns whether a message has changed what its channel is called. */
  hear(message: Message): boolean {
    const title = titleIn(message);
    const { channel, time } = message;
    const known = this.of(channel);
    // Ids say nothing of the order of two logs, and a message that is heard again says nothing new.
    if (title === undefined || (known !== undefined && time <= known.time)) return false;
    const entries = Object.entries(this.#known).filter(([other]) => other !== channel);
    this.#known = Object.fromEntries([...entries, [channel, { ...title, time }] as const].slice(-MAX_TITLES));
    this.#keep(this.#known);
    return true;
  }

  of(channel: string): Known | undefined {
    return Object.hasOwn(this.#known, channel) ? this.#known[channel] : undefined;
  }

  /** What to call a channel. */
  name(channel: string): string {
    return this.of(channel)?.title || channel;
  }
}

function knownIn(value: unknown): Readonly<Record<string, Known>> {
  if (typeof value !== "object" || value === null) return {};
  const entries = Object.entries(value as Readonly<Record<string, Partial<Known> | null>>);
  return Object.fromEntries(
    entries.filter(([, known]) =>
      [known?.title, known?.topic, known?.time].every((field) => typeof field === "string"),
    ),
  ) as Readonly<Record<string, Known>>;
}
