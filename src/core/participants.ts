import { isServerChannel, uncovered, type ChannelPattern } from "../protocol/channel.ts";
import type { Waiting } from "../protocol/participant.ts";
import { AnnouncedNames } from "./announced-names.ts";
import {
  MAX_CHANNELS,
  MAX_WAITS,
  merged,
  nameKey,
  waitKey,
  withoutRepeats,
  type Attendance,
  type Identity,
  type Wait,
} from "./attendance.ts";

/** Milliseconds for which an agent is listed after its last call, if it has nothing open. */
const IDLE = 60_000;
/** Milliseconds within which a call that waits for the same goes on with the wait before it. */
const CONTINUES = 30_000;
/** Agents whose last call is remembered. */
const MAX_CALLERS = 1000;
/** Participants of other nodes that are listed. */
const MAX_OTHERS = 5000;
/** With more connections than this, the list is made at most once a second. */
const MANY = 500;
const SECOND = 1000;

/** Ends what was opened. `isGone` says that the client closed it before it had ended. */
export type Leave = (isGone?: boolean) => void;

/** A participant that can be listed as waiting. */
export interface Presence {
  /** Lists it as waiting until the function returned is called. */
  wait(what: Waiting): Leave;
}

/** What is remembered of an agent's calls. */
interface Caller {
  readonly identity: Identity;
  readonly called: number;
  readonly channels: readonly ChannelPattern[];
  readonly last: { readonly what: string; readonly since: number } | undefined;
}

/** The participants of another node, and whether it left some out. */
interface OtherNode {
  readonly attendances: readonly Attendance[];
  readonly more: boolean;
}

/** Who is here: all that is open on this node and by whom, and what other nodes report. */
export class Participants {
  /** Grows with every change on this node. */
  version = 0;
  readonly names: AnnouncedNames = new AnnouncedNames();
  readonly #node: string;
  readonly #open = new Set<Attendee>();
  /** The least recent first. */
  readonly #callers = new Map<string, Caller>();
  readonly #others = new Map<string, OtherNode>();
  #own: { readonly list: readonly Attendance[]; readonly version: number; readonly until: number } | undefined;
  /** Made of that list of this node; undefined if another node reported since. */
  #all: { readonly list: readonly Attendance[]; readonly own: readonly Attendance[] } | undefined;

  constructor(node: string) {
    this.#node = node;
  }

  /** Someone who has nothing open yet, and whose connections will read these channels. */
  attendee(identity: Identity, channels: () => readonly ChannelPattern[] = () => []): Attendee {
    return new Attendee(this, identity, channels);
  }

  /** Someone who has nothing open but a call while it waits. */
  caller(identity: Identity): Presence {
    return {
      wait: (what) => {
        const attendee = this.attendee(identity);
        const depart = attendee.connect();
        const done = attendee.wait(what);
        return (isGone) => {
          done(isGone);
          depart(isGone);
        };
      },
    };
  }

  /** Remembers a call of an agent, which is listed for a while after it. */
  called(identity: Identity, waited?: Wait): void {
    if (identity.kind !== "agent" || identity.name === undefined) return;
    const key = nameKey(identity);
    const before = this.#callers.get(key);
    this.#callers.delete(key);
    const channels = waited === undefined ? (before?.channels ?? []) : channelsOf(waited);
    const last = waited === undefined ? before?.last : { what: waitKey(waited), since: waited.since };
    this.#callers.set(key, { identity, called: Date.now(), channels, last });
    const [oldest] = this.#callers.keys();
    if (this.#callers.size > MAX_CALLERS && oldest !== undefined) this.#callers.delete(oldest);
    this.version++;
  }

  /** Forgets the calls of an agent that closed what it had open. */
  forget(identity: Identity): void {
    if (this.#callers.delete(nameKey(identity))) this.version++;
  }

  /** When a wait that begins now counts as begun: a call that waits for the same thing continues the last one. */
  waitsSince(identity: Identity, what: Waiting): number {
    const before = identity.name === undefined ? undefined : this.#callers.get(nameKey(identity));
    const isSame = before?.last !== undefined && before.last.what === waitKey(what);
    return isSame && Date.now() - before.called < CONTINUES ? before.last.since : Date.now();
  }

  /** Called by an attendee that opened its first connection, or closed its last. */
  opened(attendee: Attendee, isOpen: boolean): void {
    if (isOpen) this.#open.add(attendee);
    else this.#open.delete(attendee);
    this.version++;
  }

  /** Takes the list of another node; it replaces the one before. */
  hear(node: string, attendances: readonly Attendance[], more: boolean): void {
    this.#others.delete(node);
    let room = MAX_OTHERS;
    for (const other of this.#others.values()) room -= other.attendances.length;
    const kept = attendances.slice(0, Math.max(room, 0));
    this.#others.set(node, { attendances: kept, more: more || kept.length < attendances.length });
    this.#all = undefined;
  }

  /** Forgets the nodes that are not known any more. */
  forgetNodes(isKnown: (node: string) => boolean): void {
    for (const node of this.#others.keys()) if (!isKnown(node)) this.#others.delete(node);
    this.#all = undefined;
  }

  /** Whether another node left out some. */
  get isCut(): boolean {
    return [...this.#others.values()].some(({ more }) => more);
  }

  /** The participants of this node. */
  get own(): readonly Attendance[] {
    const now = Date.now();
    const known = this.#own;
    if (known !== undefined && now < known.until && (known.version === this.version || this.#open.size > MANY)) {
      return known.list;
    }
    const list = merged(this.#attendances(now));
    // Those that are idle leave the list without a change.
    this.#own = { list, version: this.version, until: now + SECOND };
    return list;
  }

  /** The participants of all nodes, each once. */
  get all(): readonly Attendance[] {
    const { own } = this;
    if (this.#others.size === 0) return own;
    if (this.#all?.own !== own) {
      const list = merged([own, ...Array.from(this.#others.values(), ({ attendances }) => attendances)].flat());
      this.#all = { list, own };
    }
    return this.#all.list;
  }

  *#attendances(now: number): Iterable<Attendance> {
    const nodes = [this.#node];
    for (const { identity, channels, opened, waits } of this.#open) {
      const read = channels();
      const wanted = read.filter((channel) => !isServerChannel(channel));
      // A page that shows what the server does, and no channel, takes part in nothing.
      if (read.length > 0 && wanted.length === 0 && waits.size === 0) continue;
      yield {
        ...identity,
        opened,
        called: undefined,
        waits: waits.size === 0 ? [] : withoutRepeats([...waits]).slice(0, MAX_WAITS),
        channels: uncovered(wanted).slice(0, MAX_CHANNELS),
        nodes,
      };
    }
    for (const [key, { identity, called, channels }] of this.#callers) {
      if (now - called >= IDLE) this.#callers.delete(key);
      else yield { ...identity, opened: undefined, called, waits: [], channels, nodes };
    }
  }
}

/** A client of this node: its open connections, and the calls that wait on them. */
export class Attendee implements Presence {
  readonly channels: () => readonly ChannelPattern[];
  readonly waits: Set<Wait> = new Set();
  opened = 0;
  readonly #participants: Participants;
  #identity: Identity;
  #connections = 0;

  constructor(participants: Participants, identity: Identity, channels: () => readonly ChannelPattern[]) {
    this.#participants = participants;
    this.#identity = identity;
    this.channels = channels;
  }

  get identity(): Identity {
    return this.#identity;
  }

  set identity(identity: Identity) {
    const { kind, name, verified } = this.#identity;
    if (identity.kind === kind && identity.name === name && identity.verified === verified) return;
    this.#identity = identity;
    this.changed();
  }

  /** What it reads has changed. */
  changed(): void {
    this.#participants.version++;
  }

  /** Counts a connection until it is closed. */
  connect(): Leave {
    if (this.#connections++ === 0) {
      this.opened = Date.now();
      this.#participants.opened(this, true);
    }
    let left = false;
    return (isGone = false) => {
      if (left) return;
      left = true;
      if (isGone) this.#participants.forget(this.#identity);
      else this.#participants.called(this.#identity);
      if (--this.#connections === 0) this.#participants.opened(this, false);
    };
  }

  /** Is listed as waiting, if a connection is open, until the call ends. */
  wait(what: Waiting): Leave {
    const kept = what.for === "answer" ? what : { ...what, channels: what.channels.slice(0, MAX_CHANNELS) };
    const wait: Wait = { ...kept, since: this.#participants.waitsSince(this.#identity, kept) };
    this.waits.add(wait);
    this.changed();
    return (isGone = false) => {
      this.waits.delete(wait);
      this.changed();
      if (!isGone) this.#participants.called(this.#identity, wait);
    };
  }
}

function channelsOf(waiting: Waiting): readonly ChannelPattern[] {
  const channels = waiting.for === "answer" ? [waiting.channel] : waiting.channels;
  return uncovered(channels as readonly ChannelPattern[]).slice(0, MAX_CHANNELS);
}
