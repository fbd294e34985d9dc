/** Whether a connection was lost, and not closed on purpose: the source of the `lost` of a `Bus`. */
export class ConnectionLoss {
  /** Rejects with the first error given to `fail`. Nothing happens if no one awaits it. */
  readonly promise: Promise<never>;
  readonly #reject: (error: Error) => void;
  #isExpected = false;

  constructor() {
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {});
    this.promise = promise;
    this.#reject = reject;
  }

  /** Reports an error of the connection. */
  readonly fail = (error: Error): void => {
    if (!this.#isExpected) this.#reject(error);
  };

  /** Announces that the connection is about to be closed: errors from now on are not a loss. */
  expect(): void {
    this.#isExpected = true;
  }
}
