import { isPresenceChannel } from "../protocol/channel.ts";
import { isObject } from "../protocol/json.ts";
import { isReaderId } from "../protocol/participant.ts";
import type { Identity } from "./attendance.ts";
import { senderName, type Message } from "./message.ts";

/** The event with which readers announce that they are there. */
export const PRESENCE_EVENT = "presence";
/** Names that are remembered, for readers that come back. */
const MAX_NAMES = 5000;
/** Characters of the data of an announcement; longer ones are ignored. */
const MAX_DATA = 500;

/** What a reader has open, under the name it announced. */
interface Named {
  identity: Identity;
}

/** The names that readers without a credential announce, by the ids that their connections give. */
export class AnnouncedNames {
  /** The least recently announced first. */
  readonly #names = new Map<string, string>();
  readonly #attendees = new Map<string, Set<Named>>();

  /** Takes a message on one of the server's own channels, whichever node it was published on. */
  hear({ channel, event, data, sender }: Message): void {
    if (event !== PRESENCE_EVENT || !isPresenceChannel(channel) || data.length > MAX_DATA) return;
    const announced = parsed(data);
    if (!isObject(announced) || !isReaderId(announced["reader"])) return;
    const { reader, state } = announced;
    const name = sender === "anyone" ? undefined : senderName(sender);
    const before = this.#names.get(reader);
    if (state === "gone" && before !== name) return;
    this.#names.delete(reader);
    if (state !== "gone" && name !== undefined) this.#names.set(reader, name);
    const [oldest] = this.#names.keys();
    if (this.#names.size > MAX_NAMES && oldest !== undefined) this.#names.delete(oldest);
    for (const attendee of this.#attendees.get(reader) ?? []) this.#name(attendee, reader);
  }

  /** Names what a reader has open, now and whenever it announces another name; until the function returned is called. */
  follow(reader: string, attendee: Named): () => void {
    const attendees = this.#attendees.get(reader) ?? new Set<Named>();
    this.#attendees.set(reader, attendees.add(attendee));
    this.#name(attendee, reader);
    return () => {
      attendees.delete(attendee);
      if (attendees.size === 0) this.#attendees.delete(reader);
    };
  }

  #name(attendee: Named, reader: string): void {
    const { identity } = attendee;
    if (!identity.verified) attendee.identity = { ...identity, name: this.#names.get(reader) };
  }
}

/** Undefined if it is not JSON: whatever another node published must not keep a message from its readers. */
function parsed(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}
