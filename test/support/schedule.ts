/** Work that waits to be let go on, in an order the test chooses. */
export class Schedule {
  readonly #held: { readonly step: string; readonly go: () => void }[] = [];
  /** The steps that wait; all of them where it is undefined. */
  #holding: Set<string> | undefined;

  /** Without steps, everything waits. */
  constructor(...steps: string[]) {
    this.#holding = steps.length === 0 ? undefined : new Set(steps);
  }

  /** How much waits. */
  get held(): number {
    return this.#held.length;
  }

  /** Calls back at once, or if such a step waits, when it is let go. */
  call(step: string, go: () => void): void {
    if (this.#holding === undefined || this.#holding.has(step)) this.#held.push({ step, go });
    else go();
  }

  reached(step: string): Promise<void> {
    return new Promise((resolve) => this.call(step, resolve));
  }

  /** How much waits at a step. */
  at(step: string): number {
    return this.#held.filter((held) => held.step === step).length;
  }

  hold(step: string): void {
    this.#holding?.add(step);
  }

  /** Lets go of the longest waiting at a step. */
  letOne(step: string): void {
    const index = this.#held.findIndex((held) => held.step === step);
    if (index === -1) throw new Error(`nothing waits at ${step}`);
    this.letAny(index);
  }

  /** Lets go of what stands anywhere in the row; nothing if nothing waits. */
  letAny(index: number): void {
    const [held] = this.#held.splice(this.#held.length === 0 ? 0 : index % this.#held.length, 1);
    held?.go();
  }

  /** Lets everything at a step go, and does not hold it any more. */
  open(step: string): void {
    this.#holding?.delete(step);
    while (this.at(step) > 0) this.letOne(step);
  }
}
