const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPENING: ReadonlySet<number> = new Set(Buffer.from("[{"));
const CLOSING: ReadonlySet<number> = new Set(Buffer.from("]}"));
const NULL = Buffer.from("null");
/** Bytes of an outline. */
const LONGEST = 4096;

/**
 * A JSON text that is too long to be kept, read as it comes: what it says at its top, with `null` for each array and
 * object there. What these hold is not looked at.
 */
export class Outline {
  /** Undefined where there would be too many. */
  #bytes: number[] | undefined = [];
  #depth = 0;
  #isInString = false;
  #isEscaped = false;

  feed(chunk: Uint8Array): void {
    for (const byte of chunk) {
      if (this.#bytes === undefined) return;
      const before = this.#depth;
      this.#step(byte);
      if (before <= 1 && this.#depth <= 1) this.#bytes.push(byte);
      else if (before === 1) this.#bytes.push(...NULL);
      if (this.#bytes.length > LONGEST) this.#bytes = undefined;
    }
  }

  /** Undefined where it is no JSON, or says too much. */
  get value(): unknown {
    if (this.#bytes === undefined) return undefined;
    try {
      return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(this.#bytes)));
    } catch {
      return undefined;
    }
  }

  #step(byte: number): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (this.#isInString && byte === BACKSLASH) this.#isEscaped = true;
    else if (byte === QUOTE) this.#isInString = !this.#isInString;
    else if (this.#isInString) return;
    else if (OPENING.has(byte)) this.#depth++;
    else if (CLOSING.has(byte)) this.#depth--;
  }
}
