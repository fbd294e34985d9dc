import { boundedText, fetchFault, StatusError } from "../protocol/http-answer.ts";

/** Bytes of one answer: more than a registry says about one instance. */
const MAX_BYTES = 256 * 1024;

export interface RegistryRequest {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  /** Below the address of the registry, with its slash. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: object;
  /** What it may answer; anything else is a fault. */
  readonly expected: readonly number[];
  readonly signal: AbortSignal;
}

export interface RegistryAnswer {
  readonly status: number;
  /** Undefined if the answer is empty. */
  readonly json: unknown;
}

/** Talks JSON with one server of a registry. */
export class RegistryClient {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  /** A user and password in the URL are sent as `Authorization`. */
  constructor(address: string, headers: Readonly<Record<string, string>> = {}) {
    const url = new URL(address);
    const { username, password } = url;
    url.username = url.password = "";
    const login = [username, password].map(decoded).join(":");
    const authorization: Record<string, string> =
      login === ":" ? {} : { authorization: `Basic ${Buffer.from(login).toString("base64")}` };
    this.#url = url.href.replace(/\/$/, "");
    this.#headers = { accept: "application/json", ...authorization, ...headers };
  }

  /**
   * Rejects unless the answer has an expected status, a reasonable size, and nothing or JSON in it. Redirects are not
   * followed: they would lead to an address that is not configured.
   */
  async request({ method, path, body, expected, signal }: RegistryRequest): Promise<RegistryAnswer> {
    try {
      const response = await fetch(this.#url + path, {
        method,
        signal,
        redirect: "manual",
        headers: body === undefined ? this.#headers : { ...this.#headers, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const { status } = response;
      if (!expected.includes(status)) {
        await response.body?.cancel();
        throw new StatusError(status);
      }
      const text = status === 404 ? "" : await boundedText(response.body, MAX_BYTES);
      if (status === 404) await response.body?.cancel();
      return { status, json: text.trim() === "" ? undefined : JSON.parse(text) };
    } catch (error) {
      throw error instanceof StatusError ? error : new Error(fetchFault(error), { cause: error });
    }
  }
}

/** A part of a URL as it was meant: a percent sign that begins no escape, as passwords have it, stands for itself. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
