import { Readable } from "node:stream";
import * as fc from "./properties.ts";
import type { Archive } from "../../src/logs/archive.ts";
import { openArchive, writeArchive, type Place } from "../../src/logs/open-archive.ts";
import { ndjson, readNdjson } from "../../src/logs/ndjson.ts";
import { draftOf, FOREVER } from "./sample.ts";
import { openSqlite } from "./sqlite-file.ts";

const NAMES = ["a", "b", "b.x", "b.y", "c"];
const BY_TOOL = {
  via: "tool",
  verified: true,
  path: "hub-a,hub-b",
  quiet: true,
  traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
} as const;

/** One step of work: a message, or another start with other limits. */
export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ channel: fc.constantFrom(...NAMES), key: fc.option(fc.constantFrom("k", "l")) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ messages: fc.integer({ min: 0, max: 9 }), channels: fc.integer({ min: 2, max: 5 }) }),
  },
);

type Step =
  | { readonly channel: string; readonly key: string | null }
  | { readonly messages: number; readonly channels: number };

/** Does some work on a new log, which is opened again with other limits in between; returns its epochs. */
export async function work(path: string, steps: readonly Step[]): Promise<string[]> {
  let log = await openSqlite(path);
  const epochs = [log.epoch];
  for (const [index, now] of steps.entries()) {
    if ("channel" in now) {
      const more = {
        ...(now.key !== null && { key: now.key }),
        ...(index % 3 === 0 && BY_TOOL),
      };
      // It may have as many channels as it may.
      await log.append(draftOf(now.channel, { index }, { sender: `s${index % 2}`, ...more })).catch(() => {});
      continue;
    }
    await log.close();
    log = await openSqlite(path, { retention: { ...FOREVER, ...now } });
    epochs.push(log.epoch);
  }
  await log.close();
  return epochs;
}

/** A path, or another value of `DATA`, as a place for a log. */
export function placeOf(given: string): Place {
  const data = given.startsWith("/") ? `file:${given}` : given;
  return { data, redis: { ca: "", cert: "", key: "" } };
}

/** All that a log keeps, as text. */
export async function exported(place: string): Promise<string> {
  await using archive = await openArchive(placeOf(place));
  return await textOf(archive);
}

async function textOf(archive: Archive): Promise<string> {
  let text = "";
  for await (const some of ndjson(archive)) text += some;
  return text;
}

/** Reads an export in chunks that end anywhere. */
export function read(text: string, size = 7000): Promise<Archive> {
  const bytes = Buffer.from(text);
  const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
  return readNdjson(Readable.from(chunks) as AsyncIterable<Uint8Array>);
}

/** Makes a log of what was exported. */
export async function importFrom(text: string, place: string): Promise<void> {
  await writeArchive(placeOf(place), await read(text));
}
