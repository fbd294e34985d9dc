import { element } from "../page.ts";
import { plainName } from "../shared/names.ts";
import { Stored } from "../shared/stored.ts";

/** How the person is called: remembered, asked for beside the message and never before it. */
export class Nickname {
  readonly #field = element("nickname", HTMLInputElement);
  readonly #stored = new Stored("chat.nickname", (value) => (typeof value === "string" ? value : ""));

  constructor(changed: () => void) {
    this.#field.value = this.#stored.get();
    this.#field.addEventListener("change", () => {
      this.#field.value = plainName(this.#field.value);
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
    const name = plainName(this.#field.value);
    return name === "" ? undefined : name;
  }
}
