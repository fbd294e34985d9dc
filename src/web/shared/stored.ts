/** What this browser remembers: nothing of it is needed, since its storage may be full, forbidden or hold anything. */
export class Stored<Value> {
  readonly #name: string;
  readonly #read: (value: unknown) => Value;
  readonly #storage: () => Storage;

  /** `read` makes a value of whatever was found, and of null if nothing was. */
  constructor(name: string, read: (value: unknown) => Value, storage: () => Storage = () => localStorage) {
    this.#name = name;
    this.#read = read;
    this.#storage = storage;
  }

  get(): Value {
    try {
      return this.#read(JSON.parse(this.#storage().getItem(this.#name) ?? "null"));
    } catch {
      return this.#read(null);
    }
  }

  set(value: Value): void {
    try {
      this.#storage().setItem(this.#name, JSON.stringify(value));
    } catch {
      // It is forgotten when the page is closed.
    }
  }

  /** Calls back when another tab has set it. */
  onChange(changed: (value: Value) => void): void {
    // By its own type: what tests read of the pages is checked without those of browsers.
    const page = globalThis as unknown as EventTarget;
    page.addEventListener("storage", (event) => {
      if ((event as Event & { readonly key?: string | null }).key === this.#name) changed(this.get());
    });
  }
}
