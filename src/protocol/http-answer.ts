/**
 * The body of an answer as text. Rejects once it has more bytes than `most`, and reads no further.
 */
export async function boundedText(body: AsyncIterable<Uint8Array> | null, most: number): Promise<string> {
  const decoder = new TextDecoder();
  let bytes = 0;
  let read = "";
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > most) throw new Error(`it sends more than ${most} bytes`);
    read += decoder.decode(chunk, { stream: true });
  }
  return read + decoder.decode();
}

/** An answer with a status that was not expected. */
export class StatusError extends Error {
  readonly status: number;

  constructor(status: number) {
    super(status >= 300 && status < 400 ? `it redirects (${status})` : `it answers ${status}`);
    this.status = status;
  }
}

/** What went wrong with a request, as the end of a sentence: `fetch` says only that it failed, and what failed in the cause. */
export function fetchFault(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return "it does not answer in time";
  if (error instanceof SyntaxError) return "it does not send JSON";
  const { cause } = error as { cause?: { code?: unknown } };
  return typeof cause?.code === "string" ? `it cannot be reached (${cause.code})` : error.message;
}
