import type { SessionConnection } from "../../mcp/legacy/session-stream.ts";

/** The answers of a POST without what comes before them, for a client that takes no stream. */
export class Answers implements SessionConnection {
  readonly answersOnly = true;
  readonly #answers: string[] = [];
  readonly #resolve: (answers: readonly string[]) => void;

  constructor(resolve: (answers: readonly string[]) => void) {
    this.#resolve = resolve;
  }

  write(message: string, _id?: string, isAnswer = false): void {
    if (isAnswer) this.#answers.push(message);
  }

  prime(): void {}

  end(): void {
    this.#resolve(this.#answers);
  }

  cut(): void {
    this.end();
  }
}
