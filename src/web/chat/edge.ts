import { element } from "../page.ts";

/** One end of the messages in the page: a button that loads what is beyond it, and a sentence in its place. */
export class Edge {
  readonly #log = element("log", HTMLElement);
  readonly #button: HTMLButtonElement;
  readonly #note: HTMLElement;

  /** `press` rejects with what is to be said instead. */
  constructor(button: string, note: string, press: () => Promise<void>, signal: AbortSignal) {
    this.#button = element(button, HTMLButtonElement);
    this.#note = element(note, HTMLElement);
    this.#button.addEventListener("click", () => void this.#press(press, signal), { signal });
  }

  /** Whether anything is beyond it; whoever was on the button with the keyboard stays with the messages. */
  show(hasMore: boolean): void {
    const hadFocus = document.activeElement === this.#button;
    this.#button.hidden = !hasMore;
    if (hadFocus && !hasMore) this.#log.focus();
  }

  tell(sentence: string): void {
    this.#note.textContent = sentence;
    this.#note.hidden = sentence === "";
  }

  /** One at a time. A button that is disabled would lose the focus. */
  async #press(press: () => Promise<void>, signal: AbortSignal): Promise<void> {
    if (this.#log.ariaBusy === "true") return;
    this.#log.ariaBusy = "true";
    try {
      await press();
    } catch (error) {
      if (!signal.aborted) this.tell((error as Error).message);
    } finally {
      this.#log.ariaBusy = "false";
    }
  }
}
