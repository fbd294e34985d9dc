import { mayRead, type Session } from "../shared/session.ts";
import { Stored } from "../shared/stored.ts";
import { channelProblem } from "./channel-name.ts";

/** Channels of one person: below what a reader may ask for. */
const MAX_CHANNELS = 50;
/** Channels of others that are hidden, and groups that are folded. */
const MAX_REMEMBERED = 500;
/** As people sort: project-2 before project-11, and capital letters among the others. */
const BY_NAME: Intl.Collator = new Intl.Collator(undefined, { numeric: true });

/** Channels whose names begin with the same words; alone, a channel has no group. */
export interface Group {
  /** Such as `team.apac`; undefined for channels without a group. */
  readonly prefix: string | undefined;
  readonly names: readonly string[];
}

/** The channels of the person, which of them are favourites, and what is hidden: remembered by this browser. */
export class MyChannels {
  readonly #session: Session;
  readonly #names = new Stored("chat.channels", (value) => {
    const names = channelsIn(value, MAX_CHANNELS);
    return names.length === 0 ? ["default"] : names;
  });
  readonly #favourites = new Stored("chat.favourites", (value) => channelsIn(value, MAX_CHANNELS));
  readonly #archived = new Stored("chat.archived", (value) => channelsIn(value, MAX_REMEMBERED));
  readonly #folded = new Stored("chat.folded", (value) => channelsIn(value, MAX_REMEMBERED));

  constructor(session: Session, changed: () => void) {
    this.#session = session;
    for (const stored of [this.#names, this.#favourites, this.#archived, this.#folded]) stored.onChange(changed);
  }

  /** Those that they may read: favourites first, then group by group. */
  get names(): readonly string[] {
    const readable = this.#names.get().filter((name) => mayRead(this.#session, name));
    const favourites = this.favourites.filter((name) => readable.includes(name));
    const others = groupsOf(readable.filter((name) => !favourites.includes(name)));
    return [...favourites, ...others.flatMap(({ names }) => names)];
  }

  get favourites(): readonly string[] {
    return [...this.#favourites.get()].sort(BY_NAME.compare);
  }

  /** Adds a channel, also one that was hidden; returns whether anything has changed. */
  add(name: string): boolean {
    toggle(this.#archived, name, false, MAX_REMEMBERED);
    return toggle(this.#names, name, true, MAX_CHANNELS);
  }

  remove(name: string): void {
    toggle(this.#names, name, false, MAX_CHANNELS);
    toggle(this.#favourites, name, false, MAX_CHANNELS);
  }

  /** Takes a channel off the list, and leaves it out of those of others. */
  archive(name: string): void {
    this.remove(name);
    toggle(this.#archived, name, true, MAX_REMEMBERED);
  }

  isArchived(name: string): boolean {
    return this.#archived.get().includes(name);
  }

  isFavourite(name: string): boolean {
    return this.#favourites.get().includes(name);
  }

  setFavourite(name: string, is: boolean): void {
    toggle(this.#favourites, name, is, MAX_CHANNELS);
  }

  isFolded(prefix: string): boolean {
    return this.#folded.get().includes(prefix);
  }

  setFolded(prefix: string, is: boolean): void {
    toggle(this.#folded, prefix, is, MAX_REMEMBERED);
  }
}

/** Channels in groups by all of their words but the last, sorted. */
export function groupsOf(names: readonly string[]): readonly Group[] {
  const byPrefix = new Map<string, string[]>();
  for (const name of [...names].sort(BY_NAME.compare)) {
    byPrefix.set(prefixOf(name), [...(byPrefix.get(prefixOf(name)) ?? []), name]);
  }
  const groups: { prefix: string | undefined; names: string[] }[] = [];
  for (const [prefix, members] of byPrefix) {
    const last = groups.at(-1);
    if (prefix !== "" && members.length > 1) groups.push({ prefix, names: members });
    else if (last !== undefined && last.prefix === undefined) last.names.push(...members);
    else groups.push({ prefix: undefined, names: [...members] });
  }
  return groups;
}

function prefixOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf(".")));
}

function toggle(stored: Stored<readonly string[]>, name: string, is: boolean, most: number): boolean {
  const names = stored.get();
  if (names.includes(name) === is) return false;
  stored.set(is ? [...names, name].slice(-most) : names.filter((other) => other !== name));
  return true;
}

/** What was remembered, as far as it can be names. */
function channelsIn(value: unknown, most: number): readonly string[] {
  if (!Array.isArray(value)) return [];
  const names = value.filter((name) => typeof name === "string" && channelProblem(name) === undefined) as string[];
  return names.slice(-most);
}
