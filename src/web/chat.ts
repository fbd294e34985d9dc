// The chat: puts the pieces of the page together.
import { connect, type HubClientError, type HubState } from "../client/index.ts";
import { ChannelList } from "./chat/channel-list.ts";
import { Composer } from "./chat/composer.ts";
import { Nickname } from "./chat/nickname.ts";
import { showOutbox } from "./chat/outbox-rows.ts";
import { Outbox } from "./chat/outbox.ts";
import { knock, Presence } from "./chat/presence.ts";
import { Room } from "./chat/room.ts";
import { Stored } from "./chat/stored.ts";
import { Timeline } from "./chat/timeline.ts";
import { countText } from "./chat/unread.ts";
import { Watch } from "./chat/watch.ts";
import { element, labelled } from "./page.ts";

const hub = connect("/");
const banner = element("banner", HTMLElement);
const heading = element("channel", HTMLElement);
const newest = element("newest", HTMLButtonElement);
const lastOpen = new Stored("open", (value) => (typeof value === "string" ? value : "default"));

/** Milliseconds for which nobody need know that the server is away. */
const PATIENCE = 800;

/** Milliseconds within which a count is shown. */
const COUNT_WITHIN = 50;

let channel = "";
let room: Room | undefined;
let presence: Presence | undefined;
let wasAway = false;
let counting: ReturnType<typeof setTimeout> | undefined;
let saying: ReturnType<typeof setTimeout> | undefined;

const nickname = new Nickname(() => presence?.rename());
const timeline = new Timeline({ log: element("log", HTMLElement), rows: element("rows", HTMLElement) }, () => look());
const outbox = new Outbox({
  publish: ({ channel: to, text, sender, key }, signal) => {
    return hub.publish(to, text, { key, signal, ...(sender !== undefined && { sender }) });
  },
  isShown: (message, id) => message.channel !== channel || timeline.has(id),
  changed: () => showMine(),
  kept: (id, receipt) => timeline.mark(id, receipt),
  store: new Stored<unknown>(
    "outbox",
    (value) => value,
    () => sessionStorage,
  ),
  newKey: () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(36)).join("-"),
});
const composer = new Composer((to, text) => {
  outbox.add(to, text, nickname.name);
  if (timeline.isCutOff) void room?.open();
  else timeline.toEnd();
});
const watch = new Watch(hub, () => {
  // Once for all that comes in one go.
  counting ??= setTimeout(showUnread, COUNT_WITHIN);
});
const list = new ChannelList(watch.unread, { open: join, changed: (channels) => watch.follow(channels) });

hub.onState((state) => showState(state));
newest.addEventListener("click", () => {
  if (timeline.isCutOff) void room?.open();
  else timeline.toEnd();
  element("log", HTMLElement).focus();
});
addEventListener("hashchange", () => void follow());
for (const event of ["focus", "blur"]) addEventListener(event, () => look());
document.addEventListener("visibilitychange", () => look());

const panel = element("channels", HTMLElement);
const toggle = element("show-channels", HTMLButtonElement);
toggle.addEventListener("click", () => showPanel(toggle.ariaExpanded !== "true"));
document.querySelector("main")?.addEventListener("click", ({ target }) => {
  if (!(target instanceof Node && toggle.contains(target))) showPanel(false);
});
panel.addEventListener("keydown", ({ key }) => {
  if (key !== "Escape" || toggle.ariaExpanded !== "true") return;
  showPanel(false);
  toggle.focus();
});

void follow();
watch.follow(list.channels);
void outbox.send();

/** Opens what the address names. */
async function follow(): Promise<void> {
  try {
    const named = decodeURIComponent(location.hash.slice(1)) || new URLSearchParams(location.search).get("channel");
    await join(named ?? lastOpen.get());
  } catch (error) {
    labelled(element("refused", HTMLElement), (error as Error).message);
    showPanel(true);
    if (channel === "") open("default");
  }
}

/** Opens a channel; rejects with the server's sentence where it is none. */
async function join(name: string): Promise<void> {
  if (!list.channels.includes(name)) await knock(hub, name, nickname.name);
  open(name);
}

function open(name: string): void {
  const isFirst = channel === "";
  if (name !== channel) {
    channel = name;
    lastOpen.set(name);
    heading.textContent = name;
    room?.close();
    room = undefined;
    presence?.close();
    presence = new Presence(name, hub, () => nickname.name);
    room = new Room({
      channel: name,
      hub,
      timeline,
      presence,
      claim: (message) => outbox.claim(message),
      mark: watch.mark(name),
      entered: () => presence?.enter(),
      shown: () => outbox.settle(),
    });
    composer.open(name);
    list.open(name);
    showMine();
  }
  const address = `/chat#${encodeURIComponent(name)}`;
  const isThere = location.pathname + location.search + location.hash === address;
  if (!isThere) history[isFirst ? "replaceState" : "pushState"](null, "", address);
  showPanel(false);
}

/** What is in sight is read. */
function look(): void {
  const id = timeline.newest ?? room?.start;
  if (document.hasFocus() && !document.hidden && timeline.isAtEnd && id !== undefined) watch.read(channel, id);
  newest.hidden = timeline.isAtEnd;
  const { unseen } = timeline;
  labelled(newest, unseen === 0 ? "To the newest" : unseen === 1 ? "1 new message" : `${unseen} new messages`);
}

function showMine(): void {
  showOutbox(outbox, channel, hub.state.kind === "live");
  timeline.stick();
}

function showUnread(): void {
  counting = undefined;
  list.show();
  const { total } = watch.unread;
  document.title = `${total === 0 ? "" : `(${countText(total)}) `}${channel} · Chat`;
  const elsewhere = total - watch.unread.count(channel);
  labelled(element("elsewhere", HTMLElement), elsewhere === 0 ? "" : countText(elsewhere));
}

/** Says when the server is away, unless it is back at once. */
function showState(state: HubState): void {
  clearTimeout(saying);
  if (state.kind === "live") {
    banner.hidden = true;
    outbox.hurry();
    // Others came back earlier or later, and heard nothing of this page.
    if (wasAway) presence?.enter();
    wasAway = false;
    return;
  }
  showMine();
  wasAway ||= state.kind === "waiting";
  if (state.kind === "waiting" || state.kind === "closed") saying = setTimeout(() => sayAway(state.error), PATIENCE);
}

function sayAway(error: HubClientError | undefined): void {
  const isRefusal = error !== undefined && !["UNREACHABLE", "CONNECTION_LOST", "SILENT"].includes(error.code);
  const why = isRefusal ? error.message : "The server cannot be reached";
  banner.hidden = false;
  labelled(banner, `${why}. What you send waits here until it is back.`);
}

/** On a narrow screen, the list of channels lies over the messages. */
function showPanel(isOpen: boolean): void {
  toggle.ariaExpanded = String(isOpen);
  panel.classList.toggle("open", isOpen);
}
