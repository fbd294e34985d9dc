import { made } from "../made.ts";
import { element } from "../page.ts";
import type { Outbox, Outgoing } from "./outbox.ts";
import { face, nameOf, kept } from "./rows.ts";

const MOST_SHOWN = 500;

/** Shows what is on its way, behind the messages that are kept. */
export function showOutbox(outbox: Outbox, channel: string, isLive: boolean): void {
  const list = element("outbox", HTMLElement);
  const messages = outbox.of(channel);
  list.replaceChildren(...messages.map((message) => rowOf(message, outbox, isLive)));
  list.hidden = messages.length === 0;
}

function rowOf(message: Outgoing, outbox: Outbox, isLive: boolean): HTMLLIElement {
  const { sender = "anyone", text, state, receipt } = message;
  const said = made("div", "said", text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text);
  said.dir = "auto";
  const row = made("li", `row head ${state}`, face(sender, false), made("p", "who", nameOf(sender)), said);
  if (receipt !== undefined) row.append(kept(receipt));
  else
    row.append(
      state === "failed" ? failure(message, outbox) : made("p", "way", isLive ? "Sending…" : "Waits for the server"),
    );
  return row;
}

function failure(message: Outgoing, outbox: Outbox): HTMLElement {
  const retry = button("Try again", () => outbox.retry(message));
  const discard = button("Discard", () => outbox.discard(message));
  return made("p", "way", made("span", "reason", `Not sent. ${message.reason ?? ""}`), retry, discard);
}

function button(text: string, press: () => void): HTMLButtonElement {
  const found = made("button", "", text);
  found.type = "button";
  found.addEventListener("click", () => {
    press();
    // The button is gone now.
    element("text", HTMLElement).focus();
  });
  return found;
}
