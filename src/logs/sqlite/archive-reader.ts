import { existsSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { HubError } from "../../core/errors.ts";
import type { Message } from "../../core/message.ts";
import { PartBuffer, type Archive, type ArchivedChannel, type ArchivePart, type Run } from "../archive.ts";
import { unusable } from "./errors.ts";
import { closeFile, openFile, type OpenFile } from "./open-file.ts";
import { headOf, holesIn, lastUse } from "./schema.ts";

/** A message, in whose row what is not set is null. */
type Row = { readonly [Field in keyof Message]: Message[Field] | null };

/**
 * Reads what a log file keeps, which is upgraded as it is for a hub; no hub may have it open until this is disposed of.
 * Throws `LOG_UNAVAILABLE` with a sentence for the operator.
 */
export function openSqliteArchive(path: string): Archive & Disposable {
  if (!existsSync(path)) throw unusable(`There is no log ${path}; give the path of one`);
  const file = opened(path);
  const { database } = file;
  const head = headOf(database);
  const lost = holesIn(database);
  // The run that begins after the head has given out nothing.
  const runs = database.prepare("SELECT first, epoch FROM runs WHERE first <= ? ORDER BY first").all(head);
  const floor = database.prepare("SELECT value + 0 AS floor FROM hub WHERE name = 'floor'").get()?.["floor"] ?? 0;
  return {
    header: {
      head,
      floor: Number(floor),
      used: lastUse(database),
      runs: runs as unknown as Run[],
      ...(lost.length > 0 && { lost }),
    },
    parts: partsOf(database),
    [Symbol.dispose]: () => closeFile(file),
  };
}

function opened(path: string): OpenFile {
  try {
    return openFile(path);
  } catch (cause) {
    if (!(cause instanceof HubError) || !cause.message.startsWith("Another sse-mcp-server")) throw cause;
    throw unusable(
      `A running sse-mcp-server has the log ${path} open; stop it, or make a backup and give that: sqlite3 ${path} ".backup copy.db"`,
      cause,
    );
  }
}

function* partsOf(database: DatabaseSync): Generator<ArchivePart> {
  const buffer = new PartBuffer();
  const messages = database.prepare(
    `SELECT offset, channels.channel AS channel, event, data, sender, messages.time AS time, via, verified, traceparent, path, quiet, key
       FROM messages CROSS JOIN channels ON channels.id = messages.channel ORDER BY offset`,
  );
  for (const row of messages.iterate()) {
    buffer.addMessage(messageOf(row as unknown as Row));
    if (buffer.isFull) yield buffer.take();
  }
  for (const row of database.prepare("SELECT channel, last, time, dropped FROM channels ORDER BY last").iterate()) {
    buffer.addChannel({ ...row } as unknown as ArchivedChannel);
    if (buffer.isFull) yield buffer.take();
  }
  yield buffer.take();
}

function messageOf({ via, verified, traceparent, path, quiet, key, ...row }: Row): Message {
  return {
    ...row,
    ...(via === null ? {} : { via }),
    ...(verified === null ? {} : { verified: true }),
    ...(traceparent === null ? {} : { traceparent }),
    ...(path === null ? {} : { path }),
    ...(quiet === null ? {} : { quiet: true }),
    ...(key === null ? {} : { key }),
  } as Message;
}
