import { HubError } from "../../core/errors.ts";

const BUSY = 5;
const LOCKED = 6;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CONSTRAINT = 19;
const NOTADB = 26;

/** Whether another program has the database locked. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code === BUSY || code === LOCKED;
}

/** Whether the file is damaged or was not written by SQLite. */
export function isDamaged(error: unknown): boolean {
  const code = resultCode(error);
  return code === CORRUPT || code === NOTADB;
}

/** Whether the disk was full. */
export function isFull(error: unknown): boolean {
  return resultCode(error) === FULL;
}

/** The error at the start if the log cannot be used; the sentence is for the operator. */
export function unusable(sentence: string, cause?: unknown): HubError {
  return new HubError("LOG_UNAVAILABLE", sentence, { cause });
}

export function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** The error for publishers if the file holds what this process did not write. */
export function contradiction(cause?: unknown): HubError {
  return new HubError(
    "LOG_UNAVAILABLE",
    "The log cannot keep messages: another program writes into its database; whoever runs the server must stop that program and restart the server",
    { cause },
  );
}

/** The error for publishers if SQLite fails: its sentence has no path and no statement. */
export function unavailable(cause: unknown): HubError {
  if (cause instanceof HubError) return cause;
  if (resultCode(cause) === CONSTRAINT) return contradiction(cause);
  return new HubError("LOG_UNAVAILABLE", `The log cannot keep messages: ${whatFailed(cause)}; publish again later`, {
    cause,
  });
}

/** The error for callers after the log has closed. */
export function stopped(): HubError {
  return new HubError("SHUTTING_DOWN", "The log is closed; publish again in a few seconds");
}

function whatFailed(error: unknown): string {
  switch (resultCode(error)) {
    case BUSY:
    case LOCKED:
      return "another program holds its database locked";
    case READONLY:
      return "its database is read-only";
    case IOERR:
      return "the disk answers with errors";
    case FULL:
      return "the disk is full";
    case CORRUPT:
    case NOTADB:
      return "its database is damaged";
    default:
      return "its database failed";
  }
}

/** The primary result code of SQLite, https://sqlite.org/rescode.html. */
function resultCode(error: unknown): number | undefined {
  const code = error instanceof Error && "errcode" in error ? error.errcode : undefined;
  return typeof code === "number" ? code & 0xff : undefined;
}
