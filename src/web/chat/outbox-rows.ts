import { made } from "../made.ts";
import { element } from "../page.ts";
import type { Outbox, Outgoing } from "./outbox.ts";
import { face, nameOf, kept } from "./rows.ts";

const MOST_SHOWN = 500;

/** Whether what is sent goes on its way now, later, or only when the page is loaded again. */
export type Reach = "live" | "away" | "closed";

/** Shows what is on its way, behind the messages that are kept. */
export function showOutbox(outbox: Outbox, channel: string, reach: Reach): void {
  const list = element("outbox", HTMLElement);
  const messages = outbox.of(channel);
  list.replaceChildren(...messages.map((message) => rowOf(message, outbox, reach)));
  list.hidden = messages.length === 0;
}

function rowOf(message: Outgoing, outbox: Outbox, reach: Reach): HTMLLIElement {
  const { sender = "anyone", text, state, receipt } = message;
  const said = made("div", "said", text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text);
  said.dir = "auto";
  const row = made("li", `row head ${state}`, face(sender, false), made("p", "who", nameOf(sender)), said);
  if (receipt !== undefined) row.append(kept(receipt));
  else
    row.append(
      state === "failed"
        ? failure(message, outbox, reach)
        : made("p", "way", reach === "live" ? "Sending…" : "Waits for the server"),
    );
  return row;
}

function failure(message: Outgoing, outbox: Outbox, reach: Reach): HTMLElement {
  const retry = reach === "closed" ? [] : [button("Try again", () => outbox.retry(message))];
  const discard = button("Discard", () => outbox.discard(message));
  return made("p", "way", made("span", "reason", `Not sent. ${message.reason ?? ""}`), ...retry, discard);
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
