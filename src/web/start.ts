// The start page: shows the default channel live, publishes to it, and copies the lines to try.
import { element } from "./page.ts";

const MOST_SHOWN = 50;

interface Told {
  readonly time: string;
  readonly sender: string;
  readonly data: unknown;
}

const state = element("state", HTMLElement);
const messages = element("messages", HTMLElement);
const empty = element("empty", HTMLElement);

const source = new EventSource("/events?format=json&last_event_id=earliest");
source.addEventListener("open", () => show("on", "Connected: this page is a reader of the channel default."));
source.addEventListener("error", () => {
  show("off", "The connection is gone; the browser comes back by itself and gets what it missed.");
});
source.addEventListener("message", (event: MessageEvent<string>) => add(JSON.parse(event.data) as Told));
source.addEventListener("gap", () => show("off", "Some messages are no longer kept; what follows is complete."));

const form = element("say", HTMLFormElement);
const field = element("text", HTMLInputElement);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  void publish();
});

for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-copy]")) {
  button.addEventListener("click", () => void copy(button));
}

async function publish(): Promise<void> {
  try {
    const response = await fetch("/channels/default/messages?sender=start+page", {
      method: "POST",
      headers: { "content-type": "text/plain" },
      body: field.value,
    });
    if (!response.ok) throw new Error(((await response.json()) as { detail: string }).detail);
    form.reset();
  } catch (error) {
    show("off", `Not published: ${(error as Error).message}`);
  }
}

async function copy(button: HTMLButtonElement): Promise<void> {
  const line = element(button.dataset["copy"] ?? "", HTMLElement);
  try {
    await navigator.clipboard.writeText(line.textContent);
    button.textContent = "Copied";
  } catch {
    // Without the right to write, the line is selected to be copied by hand.
    getSelection()?.selectAllChildren(line);
    button.textContent = "Selected";
  }
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

function add({ time, sender, data }: Told): void {
  const item = document.createElement("li");
  const at = document.createElement("time");
  at.dateTime = time;
  at.textContent = new Date(time).toLocaleTimeString();
  const text = document.createElement("span");
  text.textContent = `${sender}: ${typeof data === "string" ? data : JSON.stringify(data)}`;
  item.append(at, text);
  messages.prepend(item);
  while (messages.children.length > MOST_SHOWN) messages.lastChild?.remove();
  empty.hidden = true;
}

function show(kind: string, text: string): void {
  state.dataset["state"] = kind;
  state.textContent = text;
}
