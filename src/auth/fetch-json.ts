/** Bytes of one answer: more than any issuer's metadata or keys. */
const MAX_BYTES = 256 * 1024;

/**
 * The JSON at a URL. Rejects with an error whose sentence names the URL unless the answer is 200, JSON and of a
 * reasonable size. Redirects are not followed: they would lead to an address that is not configured.
 */
export async function fetchJson(url: string, signal: AbortSignal): Promise<unknown> {
  try {
    const response = await fetch(url, { signal, redirect: "manual", headers: { accept: "application/json" } });
    const { status, body } = response;
    if (status !== 200) {
      await body?.cancel();
      throw new Error(status >= 300 && status < 400 ? `it redirects (${status})` : `it answers ${status}`);
    }
    return JSON.parse(await text(body ?? []));
  } catch (error) {
    throw new Error(`${url}: ${reason(error)}`, { cause: error });
  }
}

async function text(body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let bytes = 0;
  let read = "";
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > MAX_BYTES) throw new Error(`it sends more than ${MAX_BYTES} bytes`);
    read += decoder.decode(chunk, { stream: true });
  }
  return read + decoder.decode();
}

/** `fetch` says only that it failed, and what failed in the cause. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return "it does not answer in time";
  if (error instanceof SyntaxError) return "it does not send JSON";
  const { cause } = error as { cause?: { code?: unknown } };
  return typeof cause?.code === "string" ? `it cannot be reached (${cause.code})` : error.message;
}
