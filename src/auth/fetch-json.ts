import { boundedText, fetchFault, StatusError } from "../protocol/http-answer.ts";

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
      throw new StatusError(status);
    }
    return JSON.parse(await boundedText(body, MAX_BYTES));
  } catch (error) {
    throw new Error(`${url}: ${fetchFault(error)}`, { cause: error });
  }
}
