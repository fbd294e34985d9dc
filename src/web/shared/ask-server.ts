/** What the server would not do, in its own words. */
export class Refusal extends Error {
  /** Whether asking the same again is of no use. */
  readonly final: boolean;
  /** The code of the problem, such as `QUESTION_CLOSED`; empty if something in between answered. */
  readonly code: string;

  constructor(sentence: string, final: boolean, code = "") {
    super(sentence);
    this.final = final;
    this.code = code;
  }
}

/** Asks the server for JSON, at a path relative to the page. Rejects with a `Refusal`, or if the signal is aborted. */
export async function askServer(path: string, init: RequestInit = {}): Promise<unknown> {
  try {
    const response = await fetch(path, init);
    if (response.status === 204) return undefined;
    if (response.ok) return (await response.json()) as unknown;
    // Something in between answers in words of its own.
    const { detail, code } = (await response.json().catch(() => ({}))) as Readonly<Record<string, unknown>>;
    const { status } = response;
    const sentence = typeof detail === "string" ? detail : `The server answered ${status} ${response.statusText}`;
    const isFinal = status < 500 && ![408, 425, 429].includes(status);
    throw new Refusal(sentence.trimEnd(), isFinal, typeof code === "string" ? code : "");
  } catch (error) {
    init.signal?.throwIfAborted();
    throw error instanceof Refusal ? error : new Refusal("The server cannot be reached.", false);
  }
}
