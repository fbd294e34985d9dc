import { Dechunker } from "./dechunker.ts";

const LARGEST_HEAD = 65_536;
const LENGTH = /\r\ncontent-length:[ \t]*(\d+)/i;
const CHUNKED = /\r\ntransfer-encoding:[ \t]*chunked/i;
const CLOSES = /\r\nconnection:[ \t]*close/i;
const BODY_SHOWN = 300;

/** Reads the answers of one keep-alive connection, one after the other. */
export class AnswerParser {
  status = 0;
  /** The server closes the connection after this answer. */
  closes = false;
  #head = "";
  #body: number | Dechunker | undefined;
  #shown = "";

  /** The start of a refusal's body, as far as it has come, in one line. */
  get text(): string {
    return this.#shown.slice(0, BODY_SHOWN).replaceAll(/\s+/g, " ").trim();
  }

  /** True when the answer is all there. */
  feed(bytes: Buffer, length: number): boolean {
    let at = 0;
    if (this.#body === undefined) {
      const before = this.#head.length;
      this.#head += bytes.toString("latin1", 0, length);
      const end = this.#head.indexOf("\r\n\r\n");
      if (end < 0) {
        if (this.#head.length > LARGEST_HEAD) throw new Error("the answer's head is longer than 64 KiB");
        return false;
      }
      at = end + 4 - before;
      this.#body = this.#start(this.#head.slice(0, end));
    }
    return this.#take(bytes, at, length);
  }

  #start(head: string): number | Dechunker {
    this.#head = "";
    this.#shown = "";
    this.status = Number(head.slice(9, 12));
    this.closes = CLOSES.test(head);
    if (CHUNKED.test(head)) return new Dechunker();
    return this.status === 204 ? 0 : Number(LENGTH.exec(head)?.[1] ?? 0);
  }

  #take(bytes: Buffer, from: number, to: number): boolean {
    if (typeof this.#body === "number") {
      this.#show(bytes, from, to);
      this.#body -= to - from;
      if (this.#body > 0) return false;
    } else if (this.#body !== undefined) {
      this.#body.feed(bytes, from, to, this.#show);
      if (!this.#body.done) return false;
    }
    this.#body = undefined;
    return true;
  }

  readonly #show = (bytes: Buffer, from: number, to: number): void => {
    if (this.status >= 300 && this.#shown.length < BODY_SHOWN) this.#shown += bytes.toString("utf8", from, to);
  };
}
