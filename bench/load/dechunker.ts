const CR = 0x0d;
const LF = 0x0a;

type State = "size" | "extension" | "data" | "data end" | "trailer" | "done";

/** Takes the chunked transfer coding off a response body. */
export class Dechunker {
  #state: State = "size";
  #left = 0;
  #line = 0;

  /** The last chunk and its trailer have passed. */
  get done(): boolean {
    return this.#state === "done";
  }

  /** Hands over what is body between `from` and `to`. */
  feed(bytes: Buffer, from: number, to: number, take: (bytes: Buffer, from: number, to: number) => void): void {
    let at = from;
    while (at < to && this.#state !== "done") {
      if (this.#state === "data") {
        const end = Math.min(to, at + this.#left);
        this.#left -= end - at;
        if (this.#left === 0) this.#state = "data end";
        take(bytes, at, end);
        at = end;
      } else {
        this.#step(bytes[at] ?? 0);
        at += 1;
      }
    }
  }

  #step(byte: number): void {
    if (byte === CR) return;
    if (byte === LF) {
      this.#lineEnd();
    } else if (this.#state === "size") {
      const digit = hexDigit(byte);
      if (digit < 0) this.#state = "extension";
      else this.#left = this.#left * 16 + digit;
    } else if (this.#state === "trailer") {
      this.#line += 1;
    }
  }

  #lineEnd(): void {
    if (this.#state === "data end") {
      this.#state = "size";
    } else if (this.#state === "trailer") {
      if (this.#line === 0) this.#state = "done";
      this.#line = 0;
    } else {
      this.#state = this.#left === 0 ? "trailer" : "data";
    }
  }
}

function hexDigit(byte: number): number {
  const letter = byte | 0x20;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
