/** The end of a connection that no one asked for: a bus has one as its `lost`. */
export class ConnectionLoss {
  /** Rejects with what `fail` was called with first; whoever awaits it sees it, and no one has to. */
  readonly promise: Promise<never>;
  readonly #reject: (error: Error) => void;
  #isExpected = false;

  constructor() {
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {});
    this.promise = promise;
    this.#reject = reject;
  }

  /** Called with what went wrong on a connection. */
  readonly fail = (error: Error): void => {
    if (!this.#isExpected) this.#reject(error);
  };

  /** The connection is about to be closed: what happens to it from now on is no loss. */
  expect(): void {
    this.#isExpected = true;
  }
}
