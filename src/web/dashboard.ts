// The dashboard: what the server does, live. It reads hub.stats, hub.logs and all channels, and does not count as a reader.
import { connect, type Hub, type HubState, type Message } from "../client/index.ts";
import { Channels, type ListedChannel } from "./dashboard/channels.ts";
import { onOffline } from "./offline.ts";
import { clock, count, duration } from "./shared/format.ts";
import { Logs, type LogLine } from "./dashboard/logs.ts";
import { Plots } from "./dashboard/plots.ts";
import { sendForm } from "./dashboard/send.ts";
import { Tail } from "./dashboard/tail.ts";
import { element, labelled, whileVisible } from "./page.ts";
import type { ServerInfo } from "../wire/server-info.ts";

const CHANNELS = ["hub.stats", "hub.logs", "*"];
/** Milliseconds between looks at the list of channels. */
const LIST = 5000;
const SECOND = 1000;

const plots = new Plots();
const logs = new Logs();
const tail = new Tail();
const channels = new Channels((channel) => tail.only(channel));

let hub: Hub | undefined;
let isOffline = false;
let timers: readonly ReturnType<typeof setInterval>[] = [];
/** When the page last stopped looking; undefined while it looks. */
let away: number | undefined;

// Who can press its button sees the page.
sendForm(async (channel, data, event) => {
  const options = { sender: "dashboard", ...(event !== "" && { event }) };
  return await (hub as Hub).publish(channel, data, options);
});
// A tab that nobody sees reads nothing and asks for nothing.
whileVisible(come, leave);
onOffline((offline) => {
  isOffline = offline;
  if (hub === undefined) return;
  if (!offline) say("", "Connecting …");
  tell(hub.state);
});

function come(): void {
  hub = connect("./", { watch: true });
  hub.onState((state) => {
    // What has just become live is no longer offline, whatever the browser says.
    if (state.kind === "live") isOffline = false;
    tell(state);
  });
  hub.subscribe(CHANNELS, {
    onMessage: take,
    onGap: ({ reason }) => tail.remark(`Messages are missing here (${reason}); what follows is complete`),
  });
  timers = [setInterval(() => void list(), LIST), setInterval(tick, SECOND)];
}

function leave(): void {
  hub?.close();
  hub = undefined;
  for (const timer of timers) clearInterval(timer);
  away = Date.now();
}

function take(message: Message): void {
  if (message.channel === "hub.stats") show(message.data as ServerInfo);
  else if (message.channel === "hub.logs") logs.add(message.data as LogLine);
  else {
    channels.rates.count(message.channel);
    tail.add(message);
  }
}

function tell(state: HubState): void {
  if (state.kind === "closed") say("off", `${state.error?.message ?? ""}; reload the page.`);
  else if (isOffline) say("off", "You are offline. What is shown is as it was last.");
  else if (state.kind === "waiting") {
    say("off", `${state.error.message}; trying again. What is shown is as it was last.`);
  } else if (state.kind === "live") {
    say("on", "Live: this page is one of the connections, and not a reader of any channel.");
    if (away !== undefined) tail.remark(`Nobody looked from ${clock(away)} to ${clock(Date.now())}`);
    away = undefined;
    channels.rates.clear();
    void snapshot();
    void list();
  }
}

function say(kind: "on" | "off" | "", text: string): void {
  const shown = element("state", HTMLElement);
  shown.dataset["state"] = kind;
  labelled(shown, text);
}

async function snapshot(): Promise<void> {
  const info = await asked<ServerInfo>("get_server_info");
  if (info !== undefined) show(info);
}

async function list(): Promise<void> {
  const found = await asked<{ channels: readonly ListedChannel[]; more: boolean }>("list_channels");
  if (found !== undefined) channels.list(found.channels, found.more);
}

/** What a tool answers; undefined where it does not: the next message, or the next look, will tell. */
async function asked<Answer>(tool: string): Promise<Answer | undefined> {
  try {
    return (await hub?.call(tool))?.structuredContent as Answer | undefined;
  } catch {
    return undefined;
  }
}

function tick(): void {
  channels.rates.tick();
  channels.draw();
}

function show(info: ServerInfo): void {
  plots.add(info);
  const { messages, connections } = info;
  const facts: Readonly<Record<string, string>> = {
    version: info.version,
    up: duration(info.uptimeSeconds),
    published: count(messages.published),
    delivered: count(messages.delivered),
    kept: count(messages.kept),
    "channel-total": count(info.channels),
    "reader-total": count(connections.total),
    "most-readers": count(info.limits.connections),
  };
  for (const [id, text] of Object.entries(facts)) labelled(element(id, HTMLElement), text);
}
