import { useState } from "preact/hooks";
import { connect, type Hub, type Message } from "../../client/index.ts";
import type { ParticipantList } from "../../protocol/participant.ts";
import type { ServerInfo } from "../../protocol/server-info.ts";
import { useWhileVisible } from "../shared/connection.ts";
import { count, duration } from "../shared/format.ts";
import { Bar, mount, Refused, Skip } from "../shared/page.tsx";
import { verifiedName, type Session } from "../shared/session.ts";
import { Status } from "../shared/status.tsx";
import { Bridges, type BridgesSeen, type BridgesTold } from "./bridges.tsx";
import { ChannelPage } from "./channel-page.tsx";
import { Channels, type ListedChannel } from "./channels.tsx";
import { ConnectionPage } from "./connection-page.tsx";
import { Connections } from "./connections.tsx";
import { Hooks, loadHooks, withDelivery, type HookDelivery, type ListedHook } from "./hooks.tsx";
import { LogLines, type LogLine } from "./log-lines.ts";
import { Nodes } from "./nodes.tsx";
import { loadQuestions, OpenQuestions, type OpenQuestionsListed } from "./open-questions.tsx";
import { Participants } from "./participants.tsx";
import type { Place } from "./place.ts";
import { usePlace } from "./use-place.ts";
import { Plots, withMoment, withPast, type Moment } from "./plots.tsx";
import { Rates } from "./rates.ts";
import { loadMessages, loadRecent } from "./recent.ts";
import { loadScheduled, Scheduled, type ScheduledListed } from "./scheduled.tsx";
import { Send } from "./send.tsx";
import { ServerLog } from "./server-log.tsx";
import { Tail, TailLines } from "./tail.tsx";

/** What the server fills in when it serves the page. */
interface DashboardFacts {
  readonly version: string;
  readonly log: string;
}

interface DashboardProps extends DashboardFacts {
  readonly session: Session;
}

/** What the server tells of itself. */
const TOLD = ["hub.stats", "hub.logs", "hub.hooks", "hub.bridges", "hub.presence"];
/** Milliseconds between looks at the list of channels. */
const LIST_EVERY = 5000;
const SECOND = 1000;
/** Seconds over which the rate of a channel is taken, and channels whose rates are counted. */
const [RATE_SECONDS, RATED] = [10, 2000];

/** What the server does, live. It reads everything, and counts as nothing. */
export function DashboardPage({ version = "{{version}}", log = "{{log}}", session }: Partial<DashboardProps>) {
  const { hub, info, moments, listed, rates, lines, logs, participants, ...rest } = useHub(session?.admin === true);
  const { hooks, bridges, scheduled, questions, list } = rest;
  const named = usePlace();
  const place: Place = session?.admin === true ? named : { kind: "overview" };
  const sender = (session && verifiedName(session)) ?? "dashboard";
  return (
    <>
      <Skip to="tail">Skip to the messages</Skip>
      <Bar current="Dashboard" session={session} />
      <main>
        {place.kind === "channel" && <ChannelPage key={place.name} hub={hub} channel={place.name} sender={sender} />}
        {place.kind === "connection" && <ConnectionPage key={place.name} id={place.name} />}
        {place.kind === "overview" && (
          <>
            <header class="overview">
              <div>
                <h1>Dashboard</h1>
                {session?.admin === false ? (
                  <Refused session={session} to="as an admin to see what the server does" />
                ) : (
                  <Status
                    hub={hub}
                    live="Live: this page counts neither as a connection nor as a reader."
                    offline=". What is shown is as it was last."
                    waiting="; trying again. What is shown is as it was last."
                  />
                )}
              </div>
              <Facts info={info} version={info?.version ?? version} log={log} />
            </header>
            <OpenQuestions listed={questions} />
            <Nodes info={info} />
            <Plots moments={moments} />
            <Tail lines={lines} />
            <Channels {...listed} rates={rates} />
            <Participants list={participants} />
            {session?.admin === true && <Connections title="Connections" />}
            <Hooks hooks={hooks} />
            <ServerLog lines={logs} />
            <Bridges seen={bridges} />
            <Scheduled listed={scheduled} changed={list} />
            <Send hub={hub} sender={sender} />
          </>
        )}
      </main>
    </>
  );
}

function Facts({ info, version, log }: DashboardFacts & { readonly info: ServerInfo | undefined }) {
  const number = (id: string, value: number | undefined) => <span id={id}>{count(value ?? NaN)}</span>;
  const facts = [
    ["Version", <span id="version">{version}</span>],
    ["Up", <span id="up">{info === undefined ? "–" : duration(info.uptimeSeconds)}</span>],
    ["Published", number("published", info?.messages.published)],
    ["Delivered", number("delivered", info?.messages.delivered)],
    ["Kept", number("kept", info?.messages.kept), " in ", <code>{log}</code>],
    ["Channels", number("channel-total", info?.channels)],
    [
      "Connections",
      number("reader-total", info?.connections.total),
      " of ",
      number("most-readers", info?.limits.connections),
    ],
  ] as const;
  return (
    <dl class="facts">
      {facts.map(([name, ...values]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{values}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Reads the hub while the page is looked at: a tab that no one sees reads nothing and asks for nothing. */
function useHub(isAllowed: boolean) {
  const [hub, setHub] = useState<Hub>();
  const [info, setInfo] = useState<ServerInfo>();
  const [moments, setMoments] = useState<readonly Moment[]>([]);
  const [listed, setListed] = useState<{ readonly listed?: readonly ListedChannel[]; readonly more: boolean }>({
    more: false,
  });
  const [bridges, setBridges] = useState<BridgesSeen>();
  const [participants, setParticipants] = useState<ParticipantList>();
  const [scheduled, setScheduled] = useState<ScheduledListed>({ scheduled: [], more: false });
  const [questions, setQuestions] = useState<OpenQuestionsListed>({ questions: [], more: false });
  const [rates] = useState(() => new Rates(RATE_SECONDS, RATED));
  const [lines] = useState(() => new TailLines());
  const [logs] = useState(() => new LogLines());
  const [hooks, setHooks] = useState<readonly ListedHook[]>([]);
  const listScheduled = async (): Promise<void> => {
    const found = await loadScheduled();
    if (found !== undefined) setScheduled(found);
  };
  useWhileVisible(() => {
    if (!isAllowed) return () => {};
    const opened = connect("./", { watch: true });
    let isClosed = false;
    setHub(opened);
    const show = (told: ServerInfo): void => {
      setInfo(told);
      setMoments((last) => withMoment(last, told));
    };
    const take = ({ channel, data }: Message): void => {
      if (channel === "hub.stats") show(data as ServerInfo);
      else if (channel === "hub.hooks") setHooks((last) => withDelivery(last, data as HookDelivery));
      else if (channel === "hub.presence") setParticipants(data as ParticipantList);
      else if (channel === "hub.bridges") {
        setBridges((last) => ({ now: data as BridgesTold, before: last?.now }));
      } else logs.add(data as LogLine);
    };
    const list = async (): Promise<void> => {
      void listScheduled();
      void loadQuestions().then((open) => open !== undefined && !isClosed && setQuestions(open));
      const found = await asked<{ channels: readonly ListedChannel[]; more: boolean }>(opened, "list_channels");
      if (found !== undefined && !isClosed) setListed({ listed: found.channels, more: found.more });
    };
    logs.wait();
    opened.subscribe(TOLD, { onMessage: take });
    const readOn = async (): Promise<void> => {
      const page = await loadMessages();
      if (isClosed) return;
      if (page !== undefined) lines.fill(page.messages, page.earlier !== null);
      opened.subscribe("*", {
        ...(page && { after: page.next }),
        onMessage: (message) => {
          rates.count(message.channel);
          lines.add(message);
        },
        onGap: ({ reason }) => lines.remark(`Messages are missing here (${reason}); what follows is complete`),
      });
    };
    const lookBack = async (): Promise<void> => {
      const recent = await loadRecent();
      // Those that the next connection brings wait for an answer of its own.
      if (isClosed) return;
      logs.resume(recent?.logs ?? []);
      if (recent !== undefined) setMoments((last) => withPast(last, recent.stats));
    };
    void readOn();
    opened.onState(({ kind }) => {
      if (kind !== "live") return;
      rates.clear();
      // Not before: a line that is logged in between would be missing.
      logs.wait();
      void lookBack();
      void asked<ServerInfo>(opened, "get_server_info").then((told) => told !== undefined && !isClosed && show(told));
      void list();
      void loadHooks().then((found) => isClosed || setHooks(found));
    });
    const tick = (): void => {
      rates.tick();
      setListed((last) => ({ ...last }));
    };
    const timers = [setInterval(() => void list(), LIST_EVERY), setInterval(tick, SECOND)];
    return () => {
      isClosed = true;
      opened.close();
      for (const timer of timers) clearInterval(timer);
    };
  }, [isAllowed]);
  return {
    hub,
    info,
    moments,
    listed,
    rates,
    lines,
    logs,
    hooks,
    bridges,
    participants,
    scheduled,
    questions,
    list: () => void listScheduled(),
  };
}

/** What a tool answers; undefined if it does not: the next message, or the next look, will tell. */
async function asked<Answer>(hub: Hub, tool: string): Promise<Answer | undefined> {
  try {
    return (await hub.call(tool)).structuredContent as Answer;
  } catch {
    return undefined;
  }
}

mount<DashboardProps>(DashboardPage, (facts, session) => ({ ...(facts as DashboardFacts), session }));
