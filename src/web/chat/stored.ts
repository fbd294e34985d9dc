// What this browser remembers of the person: nothing of it is needed.

/** A value in a storage of the browser, which may be full, forbidden or anybody's. */
export class Stored<Value> {
  readonly #name: string;
  readonly #read: (value: unknown) => Value;
  readonly #storage: () => Storage;

  /** `read` makes a value of whatever was found; of null, where nothing was. */
  constructor(name: string, read: (value: unknown) => Value, storage: () => Storage = () => localStorage) {
    this.#name = `chat.${name}`;
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
    addEventListener("storage", ({ key }) => {
      if (key === this.#name) changed(this.get());
    });
  }
}
