import { boundedText, fetchFault, StatusError } from "../../protocol/http-answer.ts";

/** Milliseconds that an answer may take. */
const TIMEOUT = 5000;
/** Bytes of one answer: more than any certificate. */
const MAX_BYTES = 64 * 1024;

/** The text at an address. Rejects unless the answer is 200 and small; redirects lead elsewhere and are not followed. */
export async function fetchText(url: string): Promise<string> {
  try {
    const { status, body } = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT), redirect: "manual" });
    if (status === 200) return await boundedText(body, MAX_BYTES);
    await body?.cancel();
    throw new StatusError(status);
  } catch (error) {
    // Its query may have a secret, as an address that confirms a subscription has.
    throw new Error(`${url.replace(/\?.*/s, "")}: ${fetchFault(error)}`, { cause: error });
  }
}
