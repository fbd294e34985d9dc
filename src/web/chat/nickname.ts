import { element } from "../page.ts";
import { Stored } from "./stored.ts";

/** How the person is called: remembered, asked for beside the message and never before it. */
export class Nickname {
  readonly #field = element("nickname", HTMLInputElement);
  readonly #stored = new Stored("nickname", (value) => (typeof value === "string" ? value : ""));

  constructor(changed: () => void) {
    this.#field.value = this.#stored.get();
    this.#field.addEventListener("change", () => {
      this.#field.value = this.#field.value.trim();
      this.#stored.set(this.#field.value);
      changed();
    });
    this.#stored.onChange((name) => {
      this.#field.value = name;
      changed();
    });
  }

  /** Undefined where none was given. */
  get name(): string | undefined {
    const name = this.#field.value.trim();
    return name === "" ? undefined : name;
  }
}
