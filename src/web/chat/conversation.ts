import type { Gap, Message, Receipt } from "../../client/index.ts";
import { counts, type Annotations } from "./annotations.ts";
import { identityOf, relationOf, type Relation } from "./relation.ts";
import type { Entry } from "./timeline.ts";
import { titleIn, type Title } from "./titles.ts";
import { Calls, type Call } from "./tool-call.ts";

/** A line among the messages. */
export type Row =
  | { readonly kind: "gap"; readonly key: string; readonly gap: Gap }
  | { readonly kind: "new"; readonly key: string }
  | {
      readonly kind: "message";
      readonly key: string;
      readonly message: Message;
      readonly receipt?: Receipt | undefined;
    }
  | { readonly kind: "title"; readonly key: string; readonly message: Message; readonly title: Title }
  /** What one sender did with tools, with nothing between. */
  | { readonly kind: "calls"; readonly key: string; readonly calls: readonly Call[] }
  /** Something was said about a message that stands further up: the last reply of a thread, or a change. */
  | {
      readonly kind: "pointer";
      readonly key: string;
      readonly message: Message;
      readonly relation: Relation;
      /** The first message of its thread; undefined if it is not in the page. */
      readonly root: Message | undefined;
    };

/**
 * The lines that entries are shown as: replies stand in their thread, and what else is said about a message stands at
 * it. What is about a message that is not in the page, and changes that do not count, have lines of their own.
 */
export function rowsOf(entries: readonly Entry[], annotations: Annotations): readonly Row[] {
  const messages = new Map<string, Message>();
  for (const entry of entries) {
    if (entry.kind === "message" && entry.message.id !== null) messages.set(entry.message.id, entry.message);
  }
  const calls = new Calls(entries.flatMap((entry) => (entry.kind === "message" ? [entry.message] : [])));
  const rows: Row[] = [];
  /** The pointer to each thread: only the last of its replies has one. */
  const lastReplies = new Map<string, Row>();
  for (const entry of entries) {
    if (entry.kind !== "message") {
      rows.push(entry);
      continue;
    }
    const { key, message } = entry;
    const title = titleIn(message);
    if (title !== undefined) {
      rows.push({ kind: "title", key, message, title });
      continue;
    }
    const call = calls.of(message);
    if (call !== undefined) {
      if (call !== null) addCall(rows, key, call);
      continue;
    }
    const relation = relationOf(message);
    if (relation === undefined) {
      rows.push(entry);
      continue;
    }
    const rootId = annotations.rootOf(relation.target);
    const first = messages.get(rootId);
    // What stands in no line of its own has no thread that could be opened.
    const isRow =
      first !== undefined &&
      [relationOf, titleIn, (each: Message) => calls.of(each)].every((of) => of(first) === undefined);
    const root = isRow ? first : undefined;
    const pointer: Row = { kind: "pointer", key, message, relation, root };
    if (relation.kind === "reply") {
      if (root === undefined) rows.push(entry);
      else {
        const before = lastReplies.get(rootId);
        if (before !== undefined) rows.splice(rows.indexOf(before), 1);
        lastReplies.set(rootId, pointer);
        rows.push(pointer);
      }
      continue;
    }
    const target = messages.get(relation.target);
    if (target === undefined) {
      if (relation.kind !== "reaction") rows.push(pointer);
    } else if (relation.kind !== "reaction" && !counts({ message, relation }, target)) rows.push(entry);
  }
  return rows.filter((row, index) => row.kind !== "pointer" || row.root === undefined || !isBelowRoot(rows, index));
}

/** Adds a call to those of the same sender above it. */
function addCall(rows: Row[], key: string, call: Call): void {
  const last = rows.at(-1);
  if (last?.kind === "calls" && senderOf(last.calls[0]) === senderOf(call)) {
    rows[rows.length - 1] = { ...last, calls: [...last.calls, call] };
  } else rows.push({ kind: "calls", key, calls: [call] });
}

function senderOf(call: Call | undefined): string {
  const message = call?.call ?? call?.result;
  return message === undefined ? "" : identityOf(message);
}

/** Whether nothing stands between a pointer to a thread and the thread. */
function isBelowRoot(rows: readonly Row[], index: number): boolean {
  const { root } = rows[index] as Row & { kind: "pointer" };
  const above = rows.slice(0, index).findLast(({ kind }) => kind !== "pointer");
  return above?.kind === "message" && above.message === root;
}
