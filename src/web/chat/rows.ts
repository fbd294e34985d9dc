import type { Gap, Message, Receipt } from "../../client/index.ts";
import { made } from "../made.ts";
import { placeOf } from "./grouping.ts";
import { hueOf, initialOf, readable } from "../shared/names.ts";
import { saidBy } from "./said.ts";
import { clock, dayName, fullTime } from "./times.ts";

/** A line of the timeline. */
export type Entry =
  | { readonly kind: "message"; readonly message: Message; receipt?: Receipt | undefined }
  | { readonly kind: "gap"; readonly gap: Gap }
  /** What follows was not read yet. */
  | { readonly kind: "new" };

const GAPS: Readonly<Record<string, string>> = {
  expired: "Messages are missing here: they were dropped before this page could get them.",
  unknown_cursor: "Messages may be missing here: the server's log is not the one that was read before.",
};

/** A line as an element; what it shows depends on those above it. */
export function rowOf(entry: Entry, above: readonly Entry[]): HTMLLIElement {
  if (entry.kind === "gap") return gapRow(entry.gap);
  if (entry.kind === "new") return made("li", "new", made("span", "", "New"));
  const { message, receipt } = entry;
  const last = above.findLast(({ kind }) => kind === "message") as Extract<Entry, { kind: "message" }> | undefined;
  const place = placeOf(message, last?.message);
  const { beginsDay } = place;
  const hasHead = place.hasHead || above.at(-1)?.kind !== "message";
  const time = new Date(message.time);
  const row = made("li", hasHead ? "row head" : "row");
  if (beginsDay) row.append(made("h2", "day", made("span", "", dayName(time, new Date()))));
  if (hasHead) row.append(face(message.sender, message.via === "tool"), head(message, time));
  else row.append(timed(time, "aside"));
  row.append(saidBy(message.data));
  if (receipt !== undefined) row.append(kept(receipt));
  return row;
}

/** Who sends: a letter on a colour. */
export function face(sender: string, isAgent: boolean): HTMLElement {
  const found = made("span", isAgent ? "face agent" : "face", initialOf(sender));
  found.style.setProperty("--hue", String(hueOf(sender)));
  found.ariaHidden = "true";
  return found;
}

/** A mark that a message of this page is kept. */
export function kept({ id, receivers, time }: Receipt): HTMLElement {
  const mark = made("span", "kept", "✓", made("span", "unseen", " kept"));
  const readers = receivers === 1 ? "1 reader" : `${receivers} readers`;
  mark.title = `Kept as ${id} at ${fullTime(new Date(time))}, offered to ${readers}`;
  return mark;
}

/** A name, set apart so that its letters turn nothing around it. */
export function nameOf(sender: string): HTMLElement {
  const name = made("bdi", "name", sender === "" ? "no name" : readable(sender));
  name.style.setProperty("--hue", String(hueOf(sender)));
  return name;
}

function head({ sender, via, event, id }: Message, time: Date): HTMLElement {
  const who = made("p", "who", nameOf(sender));
  if (via === "tool") who.append(tag("agent", "agent", "Sent with the tool send_sse_message, as agents do"));
  if (event !== "message") who.append(tag(event, "", "The event of this message"));
  if (id === null) who.append(tag("not kept", "", "An ephemeral message: only those who were here saw it"));
  who.append(timed(time, ""));
  return who;
}

function tag(text: string, kind: string, title: string): HTMLElement {
  const found = made("span", `tag ${kind}`.trim(), made("bdi", "", readable(text)));
  found.title = title;
  return found;
}

function timed(time: Date, kind: string): HTMLElement {
  const found = made("time", kind, clock(time));
  found.dateTime = time.toISOString();
  found.title = fullTime(time);
  return found;
}

function gapRow({ reason }: Gap): HTMLLIElement {
  return made("li", "gap", made("span", "", GAPS[reason] ?? `Messages are missing here (${reason}).`));
}
