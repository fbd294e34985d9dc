// The start page: what the server does in numbers, the channel default live, and lines to copy.
import { connect, type HubState, type Message } from "../client/index.ts";
import { beginningOf } from "./chat/text.ts";
import { onOffline } from "./offline.ts";
import { count } from "./format.ts";
import { made } from "./made.ts";
import { copyButtons, element, labelled, whileVisible } from "./page.ts";
import type { ServerInfo } from "../protocol/server-info.ts";
import { tabs } from "./tabs.ts";

const CHANNEL = "default";
const MOST_SHOWN = 20;
/** Pixels from the end of the list that count as being there. */
const NEAR = 40;
/** Milliseconds for which nobody need know that it takes a while. */
const PATIENCE = 500;

const state = element("state", HTMLElement);
const messages = element("messages", HTMLElement);
const form = element("say", HTMLFormElement);
const field = element("text", HTMLInputElement);
const said = element("said", HTMLElement);

for (const button of form.querySelectorAll("button")) button.disabled = false;
ownAddress();
tabs();
copyButtons();

const hub = connect("./");
let isOffline = false;
let isPublishing = false;
hub.onState((now) => {
  // What has just become live is no longer offline, whatever the browser says.
  if (now.kind === "live") isOffline = false;
  tell(now);
});
onOffline((offline) => {
  isOffline = offline;
  if (!offline) say("", "Connecting …");
  tell(hub.state);
});
void readOn();

let stats: { close(): void } | undefined;
whileVisible(
  () => {
    if (hub.state.kind === "closed") return;
    stats = hub.subscribe<ServerInfo>("hub.stats", { onMessage: ({ data }) => show(data) });
  },
  () => stats?.close(),
);

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!isPublishing) void publish();
});

/** A proxy in front may speak another protocol than the server behind it knows of. */
function ownAddress(): void {
  const told = document.body.dataset["origin"] ?? "";
  // Under a path of a proxy, the addresses are, too.
  const own = new URL(".", location.href).href.replace(/\/$/, "");
  if (told === own) return;
  for (const code of document.querySelectorAll("code")) {
    const text = code.textContent
      .replaceAll(told, own)
      .replaceAll(told.replace(/^http/, "ws"), own.replace(/^http/, "ws"));
    if (text !== code.textContent) code.textContent = text;
  }
}

/** Shows the last messages, and every one from there on. */
async function readOn(): Promise<void> {
  let after: string | undefined;
  try {
    const response = await fetch(`channels/${CHANNEL}/messages?before=latest&limit=${MOST_SHOWN}`);
    const page = (await response.json()) as { readonly messages: readonly Message[]; readonly next: string };
    for (const message of page.messages) add(message);
    after = page.next;
  } catch {
    // Then it begins now.
  }
  if (hub.state.kind === "closed") return;
  hub.subscribe(CHANNEL, { ...(after !== undefined && { after }), onMessage: add });
}

async function publish(): Promise<void> {
  // It may take as long as the server is away, and what is sent twice is there twice.
  isPublishing = true;
  labelled(said, "");
  const slow = setTimeout(() => {
    said.ariaBusy = "true";
    labelled(said, "Publishing …");
  }, PATIENCE);
  try {
    await hub.publish(CHANNEL, field.value, { sender: "start page" });
    labelled(said, "");
    form.reset();
  } catch (error) {
    labelled(said, `Not published: ${(error as Error).message}`);
  } finally {
    clearTimeout(slow);
    said.ariaBusy = "false";
    isPublishing = false;
  }
}

function add({ id, time, sender, data }: Message): void {
  // What is not kept is no message for people, such as who is here.
  if (id === null) return;
  const at = made("time", "", new Date(time).toLocaleTimeString());
  at.dateTime = time;
  const text = `${sender}: ${typeof data === "string" ? data : JSON.stringify(data)}`;
  const beginning = beginningOf(text);
  const isAtEnd = messages.scrollHeight - messages.scrollTop - messages.clientHeight < NEAR;
  messages.append(made("li", "", at, made("span", "", beginning === text ? text : `${beginning}…`)));
  while (messages.children.length > MOST_SHOWN) messages.firstElementChild?.remove();
  if (isAtEnd) messages.scrollTop = messages.scrollHeight;
  element("empty", HTMLElement).hidden = true;
}

function show({ connections, messages: counted, channels }: ServerInfo): void {
  const values: Readonly<Record<string, number>> = {
    "reader-total": connections.total,
    published: counted.published,
    rate: counted.publishedPerSecond,
    kept: counted.kept,
    "channel-total": channels,
  };
  for (const [id, value] of Object.entries(values)) labelled(element(id, HTMLElement), count(value));
}

function tell(now: HubState): void {
  if (now.kind === "closed") say("off", `${now.error?.message ?? ""}; reload the page.`);
  else if (isOffline) say("off", "You are offline; what was missed comes when you are back.");
  else if (now.kind === "waiting") say("off", `${now.error.message}; what was missed comes when it is back.`);
  else if (now.kind === "live") say("on", "Running");
}

function say(kind: "on" | "off" | "", text: string): void {
  state.dataset["state"] = kind;
  labelled(state, text);
}
