import { restamp, stampedPayload } from "../../bench/load/stamp.ts";

export const RUN = "forged";
export const SIZE = 64;

/** One message of one publisher. */
export interface Item {
  readonly publisher: number;
  readonly sequence: number;
}

/** What a reader got, counted the slow and obvious way. */
export interface Tally {
  readonly lost: number;
  readonly duplicated: number;
  readonly disordered: number;
}

/** Numbers below `limit`, the same for the same seed. */
export function randomNumbers(seed: number): (limit: number) => number {
  let state = seed * 2_654_435_761 + 1;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

export function payload({ publisher, sequence }: Item): Buffer {
  const bytes = Buffer.from(stampedPayload(RUN, publisher, SIZE));
  restamp(bytes, 0, sequence, 1000);
  return bytes;
}

export function sseEvent(item: Item): Buffer {
  return Buffer.from(`id: e-${item.publisher}.${item.sequence}\ndata: ${payload(item).toString()}\n\n`);
}

/** A server's text frame, of the three lengths a frame can have. */
export function textFrame(text: string): Buffer {
  return frame(0x81, Buffer.from(text));
}

export function frame(kind: number, body: Buffer): Buffer {
  const { length } = body;
  if (length < 126) return Buffer.concat([Buffer.from([kind, length]), body]);
  return Buffer.concat([Buffer.from([kind, 126, length >> 8, length & 0xff]), body]);
}

/** Messages of all publishers in one order. */
export function interleaved(publishers: number, count: number, random: (limit: number) => number): Item[] {
  const next = Array.from({ length: publishers }, () => 0);
  return Array.from({ length: count }, () => {
    const publisher = random(publishers);
    const sequence = next[publisher] ?? 0;
    next[publisher] = sequence + 1;
    return { publisher, sequence };
  });
}

/** How many messages each publisher has among these. */
export function counts(publishers: number, items: readonly Item[]): Uint32Array {
  const result = new Uint32Array(publishers);
  for (const { publisher } of items) result[publisher] = (result[publisher] ?? 0) + 1;
  return result;
}

export function tally(published: readonly Item[], received: readonly Item[]): Tally {
  const seen = new Set<string>();
  const newest = new Map<number, number>();
  let duplicated = 0;
  let disordered = 0;
  for (const { publisher, sequence } of received) {
    const before = newest.get(publisher) ?? -1;
    if (seen.has(`${publisher}.${sequence}`)) duplicated += 1;
    else if (sequence < before) disordered += 1;
    seen.add(`${publisher}.${sequence}`);
    newest.set(publisher, Math.max(before, sequence));
  }
  const lost = published.filter(({ publisher, sequence }) => !seen.has(`${publisher}.${sequence}`)).length;
  return { lost, duplicated, disordered };
}
