// The chat: puts the pieces of the page together.
import { connect, HubClientError } from "../client/index.ts";
import { Banner } from "./chat/banner.ts";
import { ChannelList } from "./chat/channel-list.ts";
import { whyNoChannel } from "./chat/channel-name.ts";
import { Composer } from "./chat/composer.ts";
import { onKeys } from "./chat/keys.ts";
import { Nickname } from "./chat/nickname.ts";
import { showOutbox } from "./chat/outbox-rows.ts";
import { Outbox } from "./chat/outbox.ts";
import { Presence } from "./chat/presence.ts";
import { Room } from "./chat/room.ts";
import { Stored } from "./shared/stored.ts";
import { Timeline } from "./chat/timeline.ts";
import { countText } from "./chat/unread.ts";
import { Watch } from "./chat/watch.ts";
import { element, labelled } from "./page.ts";

const hub = connect("./");
const heading = element("channel", HTMLElement);
const newest = element("newest", HTMLButtonElement);
const lastOpen = new Stored("chat.open", (value) => (typeof value === "string" ? value : "default"));

/** Whether there is a keyboard, so that focusing a field does not open one on the screen. */
const hasKeyboard = matchMedia("(hover: hover) and (pointer: fine)");
/** Milliseconds within which a count is shown. */
const COUNT_WITHIN = 50;

let channel = "";
let room: Room | undefined;
let presence: Presence | undefined;
let counting: ReturnType<typeof setTimeout> | undefined;

const nickname = new Nickname(() => presence?.rename());
const timeline = new Timeline({ log: element("log", HTMLElement), rows: element("rows", HTMLElement) }, () => look());
const outbox = new Outbox({
  publish: ({ channel: to, text, sender, key }, signal) => {
    return hub.publish(to, text, { key, signal, ...(sender !== undefined && { sender }) }).catch(sayUntil);
  },
  isShown: (message, id) => message.channel !== channel || timeline.has(id),
  changed: () => showMine(),
  kept: (id, receipt) => timeline.mark(id, receipt),
  store: new Stored<unknown>(
    "chat.outbox",
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
const list = new ChannelList(watch.unread, {
  open: (name) => {
    join(name);
    if (hasKeyboard.matches) composer.focus();
  },
  changed: (channels) => watch.follow(channels),
});

const banner = new Banner(hub, {
  back: (wasAway) => {
    outbox.hurry();
    // Others came back earlier or later, and heard nothing of this page.
    if (wasAway) presence?.enter();
  },
  away: () => showMine(),
});
newest.addEventListener("click", () => {
  if (timeline.isCutOff) void room?.open();
  else timeline.toEnd();
  element("log", HTMLElement).focus();
});
addEventListener("hashchange", () => {
  follow();
  if (hasKeyboard.matches) composer.focus();
});
for (const event of ["focus", "blur"]) addEventListener(event, () => look());
document.addEventListener("visibilitychange", () => look());

const panel = element("channels", HTMLElement);
const toggle = element("show-channels", HTMLButtonElement);
toggle.addEventListener("click", () => showPanel(toggle.ariaExpanded !== "true"));
document.querySelector("main")?.addEventListener("click", ({ target }) => {
  if (!(target instanceof Node && toggle.contains(target))) showPanel(false);
});
panel.addEventListener("keydown", ({ key }) => {
  if (key !== "Escape") return;
  list.clear();
  if (toggle.ariaExpanded !== "true") return composer.focus();
  showPanel(false);
  toggle.focus();
});
const skip = element("skip", HTMLAnchorElement);
skip.hidden = false;
skip.addEventListener("click", (event) => {
  // On this page a fragment names a channel.
  event.preventDefault();
  composer.focus();
});
onKeys({
  write: () => composer.focus(),
  find: () => {
    // On wide screens the panel is always shown, without a button.
    if (toggle.checkVisibility()) showPanel(true);
    list.find();
  },
  step: (by) => open(list.next(by)),
});

follow();
if (hasKeyboard.matches && document.activeElement === document.body) composer.focus();
watch.follow(list.channels);
void outbox.send();

/** Opens what the address names. */
function follow(): void {
  try {
    const named = decoded(location.hash.slice(1)) || new URLSearchParams(location.search).get("channel");
    join(named ?? lastOpen.get());
  } catch (error) {
    if (channel === "") open("default");
    labelled(element("refused", HTMLElement), (error as Error).message);
    showPanel(true);
  }
}

/** What an address says; as it is, where that is no encoding of anything. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A hub that is closed sends nothing; another one, on the page that is loaded next, does. */
function sayUntil(error: HubClientError): never {
  if (error.code !== "CLOSED") throw error;
  throw new HubClientError("CLOSED", "It is sent when the page is loaded again.", { final: false, cause: error });
}

/** Opens a channel; throws with a sentence if there can be none of that name. */
function join(name: string): void {
  const why = whyNoChannel(name);
  if (why !== undefined) throw new Error(why);
  open(name);
}

function open(name: string): void {
  const isFirst = channel === "";
  if (name !== channel) {
    channel = name;
    lastOpen.set(name);
    heading.textContent = name;
    heading.classList.add("named");
    room?.close();
    room = undefined;
    presence?.close();
    presence = new Presence(name, hub, () => nickname.name);
    room = new Room({
      channel: name,
      hub,
      timeline,
      claim: (message) => outbox.claim(message),
      mark: watch.mark(name),
      shown: () => outbox.settle(),
    });
    composer.open(name);
    showMine();
  }
  list.open(name);
  const address = `${location.pathname}#${encodeURIComponent(name)}`;
  const isThere = location.pathname + location.search + location.hash === address;
  if (!isThere) history[isFirst ? "replaceState" : "pushState"](null, "", address);
  showPanel(false);
}

/** What is in sight is read. */
function look(): void {
  const id = timeline.newest ?? room?.start;
  if (document.hasFocus() && !document.hidden && timeline.isAtEnd && id !== undefined) watch.read(channel, id);
  newest.hidden = timeline.isAtEnd;
  labelled(newest, timeline.unseen === "" ? "To the newest" : timeline.unseen);
}

function showMine(): void {
  const isClosed = hub.state.kind === "closed";
  showOutbox(outbox, channel, isClosed ? "closed" : banner.isLive ? "live" : "away");
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

/** On a narrow screen, the list of channels lies over the messages. */
function showPanel(isOpen: boolean): void {
  toggle.ariaExpanded = String(isOpen);
  panel.classList.toggle("open", isOpen);
}
