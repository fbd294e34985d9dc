import type { Message } from "../../client/index.ts";
import { offsetOf } from "../../protocol/cursor.ts";
import { identityOf, relationOf, type Relation } from "./relation.ts";

/** Messages about messages that are remembered, also while what they are about is not in the page. */
const MAX_REMEMBERED = 5000;
/** So many are left when there were more, so that room is made seldom. */
const REMEMBERED_AFTER = 4500;
/** Messages that are remembered about one message. */
const MAX_ABOUT = 1000;
/** Different emoji that are shown at one message. */
const MAX_EMOJI = 20;

export interface Reaction {
  readonly emoji: string;
  readonly by: readonly { readonly name: string; readonly identity: string }[];
}

/** What others, or its sender later, said of a message. */
export interface About {
  /** What it says since it was edited, and since when. */
  readonly edited: { readonly text: string; readonly time: string } | undefined;
  /** When its sender deleted it. */
  readonly deleted: { readonly time: string } | undefined;
  readonly reactions: readonly Reaction[];
  /** The thread that it begins, the oldest first. */
  readonly replies: readonly Message[];
}

const NOTHING: About = { edited: undefined, deleted: undefined, reactions: [], replies: [] };

interface Heard {
  readonly message: Message;
  readonly relation: Relation;
}

/**
 * What is said about the messages of a channel, by messages that come in any order, and before or after those that they
 * are about. What the same sender says again counts once: the latest.
 */
export class Annotations {
  /** By target; the one that was added to last is the last. */
  readonly #heard = new Map<string, Map<string, Heard>>();
  /** By the id of a reply, what it answers. */
  readonly #parents = new Map<string, string>();
  readonly #abouts = new Map<string, About>();
  #remembered = 0;

  /** Remembers a message if it is about another. */
  hear(message: Message): void {
    const relation = relationOf(message);
    if (relation === undefined) return;
    const { target } = relation;
    const all = this.#heard.get(target) ?? new Map<string, Heard>();
    const key = keyOf(message, relation);
    const known = all.get(key);
    if (known !== undefined && placeOf(known.message) >= placeOf(message)) return;
    if (known === undefined) this.#remembered++;
    all.set(key, { message, relation });
    this.#heard.delete(target);
    this.#heard.set(target, all);
    if (relation.kind === "reply") this.#parents.set(message.id as string, target);
    this.#forgetSome(all);
    this.#touch(target);
  }

  /** What is said about a message: the same object until something else is. */
  about(message: Message): About {
    const { id } = message;
    if (id === null || !this.#heard.has(id)) return NOTHING;
    const known = this.#abouts.get(id);
    if (known !== undefined) return known;
    const about = this.#aboutOf(message, id);
    this.#abouts.set(id, about);
    return about;
  }

  /** The first message of the thread that a message is in, as far as it is known; its own id if it answers nothing. */
  rootOf(id: string): string {
    // A reply is later than what it answers, so this ends.
    let root = id;
    for (let parent = this.#parents.get(root); parent !== undefined; parent = this.#parents.get(root)) root = parent;
    return root;
  }

  #aboutOf(message: Message, id: string): About {
    const heard = [...(this.#heard.get(id)?.values() ?? [])].sort((a, b) => placeOf(a.message) - placeOf(b.message));
    const own = heard.filter((each) => counts(each, message));
    const edit = own.findLast(({ relation }) => relation.kind === "edit");
    const deletion = own.find(({ relation }) => relation.kind === "delete");
    return {
      edited: edit?.relation.kind === "edit" ? { text: edit.relation.text, time: edit.message.time } : undefined,
      deleted: deletion && { time: deletion.message.time },
      reactions: reactionsIn(heard),
      replies: this.#repliesTo(id),
    };
  }

  /** Also the replies to replies. */
  #repliesTo(id: string): readonly Message[] {
    const replies: Message[] = [];
    const targets = [id];
    for (let target = targets.pop(); target !== undefined; target = targets.pop()) {
      for (const { message, relation } of this.#heard.get(target)?.values() ?? []) {
        if (relation.kind !== "reply") continue;
        replies.push(message);
        targets.push(message.id as string);
      }
    }
    return replies.sort((a, b) => placeOf(a) - placeOf(b));
  }

  /** What shows a message, or the thread it is in, is something else now. */
  #touch(id: string): void {
    for (let each: string | undefined = id; each !== undefined; each = this.#parents.get(each)) {
      this.#abouts.delete(each);
    }
  }

  /** Makes room; what changes a text is forgotten last, so that no flood brings back what was deleted. */
  #forgetSome(about: Map<string, Heard>): void {
    if (about.size > MAX_ABOUT) {
      let [least] = about;
      for (const each of about) if (least !== undefined && isLess(each[1], least[1])) least = each;
      if (least !== undefined) this.#forget(about, least[0]);
    }
    if (this.#remembered <= MAX_REMEMBERED) return;
    for (const rank of RANKS) {
      for (const [target, heard] of this.#heard) {
        if (this.#remembered <= REMEMBERED_AFTER) return;
        for (const [key, each] of heard) if (rankOf(each) <= rank) this.#forget(heard, key);
        if (heard.size === 0) this.#heard.delete(target);
        this.#touch(target);
      }
    }
  }

  #forget(about: Map<string, Heard>, key: string): void {
    const heard = about.get(key);
    if (heard?.relation.kind === "reply") this.#parents.delete(heard.message.id as string);
    if (about.delete(key)) this.#remembered--;
  }
}

/** What may be forgotten, the first first: see `rankOf`. */
const RANKS: readonly number[] = [0, 1, 2, 3];

/** How much it matters: whether it may change a text, then whether its sender cannot be another. */
function rankOf({ message: { verified }, relation: { kind } }: Heard): number {
  return (kind === "edit" || kind === "delete" ? 2 : 0) + (verified === true ? 1 : 0);
}

/** Whether something matters less than another, or is older. */
function isLess(one: Heard, other: Heard): boolean {
  const [rank, otherRank] = [rankOf(one), rankOf(other)];
  return rank < otherRank || (rank === otherRank && placeOf(one.message) < placeOf(other.message));
}

/** Whether an edit or a deletion is its sender's: anyone can publish one. */
export function counts({ message, relation: { kind } }: Heard, target: Message): boolean {
  if (identityOf(message) !== identityOf(target)) return false;
  const ofTarget = relationOf(target)?.kind;
  if (ofTarget !== undefined && ofTarget !== "reply") return false;
  return kind === "delete" || (kind === "edit" && ["message", "reply"].includes(target.event));
}

/** Identifies what a later message about the same replaces: the latest one with a key counts. */
function keyOf(message: Message, relation: Relation): string {
  if (relation.kind === "reply") return `reply ${message.id}`;
  return `${relation.kind} ${relation.kind === "reaction" ? relation.emoji : ""} ${identityOf(message)}`;
}

function placeOf({ id }: Message): number {
  return offsetOf(id ?? "");
}

function reactionsIn(heard: readonly Heard[]): readonly Reaction[] {
  const byEmoji = new Map<string, { name: string; identity: string }[]>();
  for (const { message, relation } of heard) {
    if (relation.kind !== "reaction" || relation.removed) continue;
    const by = byEmoji.get(relation.emoji) ?? [];
    by.push({ name: message.sender, identity: identityOf(message) });
    byEmoji.set(relation.emoji, by);
  }
  return [...byEmoji].slice(0, MAX_EMOJI).map(([emoji, by]) => ({ emoji, by }));
}
