import { element } from "../page.ts";

/** Where a message is written: what is unfinished stays with its channel. */
export class Composer {
  readonly #field = element("text", HTMLTextAreaElement);
  readonly #drafts = new Map<string, string>();
  #channel = "";

  constructor(send: (channel: string, text: string) => void) {
    const form = element("composer", HTMLFormElement);
    for (const button of form.querySelectorAll("button")) button.disabled = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.#field.value;
      if (text.trim() === "") return;
      this.#field.value = "";
      this.#fit();
      send(this.#channel, text);
    });
    this.#field.addEventListener("keydown", (event) => {
      // While letters are being composed, Enter takes the letters.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      form.requestSubmit();
    });
    this.#field.addEventListener("input", () => this.#fit());
  }

  open(channel: string): void {
    // What was written before this script was there goes to the channel that is opened first.
    this.#drafts.set(this.#channel === "" ? channel : this.#channel, this.#field.value);
    this.#channel = channel;
    this.#field.value = this.#drafts.get(channel) ?? "";
    this.#field.placeholder = `Message ${channel}`;
    this.#fit();
  }

  focus(): void {
    this.#field.focus();
  }

  /** As high as its text, within what the style allows. */
  #fit(): void {
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight + 2}px`;
  }
}
