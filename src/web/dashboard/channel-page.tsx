import { useEffect, useState } from "preact/hooks";
import type { Hub, Subscription } from "../../client/index.ts";
import { askServer } from "../shared/ask-server.ts";
import { compact, count, decimal } from "../shared/format.ts";
import { Confirm } from "./confirm.tsx";
import { Connections } from "./connections.tsx";
import { MessageRate } from "./message-rate.ts";
import { FactList, PlaceHead } from "./place-head.tsx";
import { Plot, type Figure } from "./plot.tsx";
import { loadMessages } from "./recent.ts";
import { Send } from "./send.tsx";
import { Tail, TailLines } from "./tail.tsx";

interface ChannelPageProps {
  readonly hub: Hub | undefined;
  readonly channel: string;
  readonly sender: string;
}

/** A channel as `/channels` lists it. */
interface Told {
  readonly channel: string;
  readonly readers: number;
  readonly messages: number;
  readonly lastTime: string | null;
}

const SECOND = 1000;
/** Seconds that are plotted. */
const PLOTTED = 600;
/** Milliseconds between two looks at the channel. */
const LOOK_EVERY = 5000;

const RATE: Figure = {
  name: "channel",
  title: "Messages per second",
  show: decimal,
  top: 5,
  unit: "/s",
  series: [{ name: "published" }],
};

/** One channel: who reads it, how much comes, its last messages, and ways to publish there and to remove what is kept. */
export function ChannelPage({ hub, channel, sender }: ChannelPageProps) {
  const [purges, setPurged] = useState(0);
  const { told, look } = useChannel(channel);
  const [removed, setRemoved] = useState("");
  const purge = async (): Promise<void> => {
    const path = `channels/${encodeURIComponent(channel)}/messages`;
    const { messages } = (await askServer(path, { method: "DELETE" })) as { readonly messages: number };
    setRemoved(`Removed ${messages === 1 ? "1 message" : `${count(messages)} messages`}.`);
    setPurged((times) => times + 1);
    look();
  };
  const last = told?.lastTime;
  return (
    <>
      <PlaceHead title={channel} kind="Channel">
        <p>
          <a href={`chat#${encodeURIComponent(channel)}`}>Open it in the chat</a>
        </p>
      </PlaceHead>
      <section class="panel" aria-label="About this channel">
        <FactList
          facts={[
            ["Readers", <span id="channel-readers">{compact(told?.readers ?? NaN)}</span>],
            ["Kept", <span id="channel-kept">{count(told?.messages ?? NaN)}</span>],
            ["Last message", typeof last === "string" ? new Date(last).toLocaleString() : "–"],
          ]}
        />
        <div class="choices">
          <Confirm
            action="Purge"
            question={`Remove all messages of ${channel}?`}
            text="They are removed for good, on every node. Readers that were away get a gap."
            word={channel}
            run={purge}
          />
          <p id="purged" role="status">
            {removed}
          </p>
        </div>
      </section>
      <Messages key={`${channel} ${purges}`} hub={hub} channel={channel} />
      <Send key={channel} hub={hub} sender={sender} channel={channel} />
      <Connections title="Readers at this node" channel={channel} />
    </>
  );
}

/** The rate and the last messages of a channel, from what is kept on. */
function Messages({ hub, channel }: Pick<ChannelPageProps, "hub" | "channel">) {
  const [lines] = useState(() => new TailLines());
  const [rate] = useState(() => new MessageRate(PLOTTED));
  const [now, tick] = useState(() => Date.now() / SECOND);
  useEffect(() => {
    const timer = setInterval(() => tick(Date.now() / SECOND), SECOND);
    return () => clearInterval(timer);
  }, []);
  useEffect(() => {
    if (hub === undefined) return undefined;
    let subscription: Subscription | undefined;
    let isOver = false;
    const begin = async (): Promise<void> => {
      const page = await loadMessages(channel);
      if (isOver) return;
      const known = lines.count;
      if (page !== undefined) {
        const fresh = lines.fill(page.messages, page.earlier !== null);
        for (const { time } of fresh) rate.add(Date.parse(time));
        const [oldest] = fresh;
        if (page.earlier !== null && oldest !== undefined && (known === 0 || fresh.length === page.messages.length)) {
          rate.knownFrom(Date.parse(oldest.time));
        }
      }
      subscription = hub.subscribe(channel, {
        ...(page && { after: page.next }),
        onMessage: (message) => {
          rate.add(Date.parse(message.time));
          lines.add(message);
        },
        onGap: ({ reason }) => lines.remark(`Messages are missing here (${reason}); what follows is complete`),
      });
    };
    void begin();
    return () => {
      isOver = true;
      subscription?.close();
    };
  }, [hub, channel]);
  const [seconds, counts] = rate.until(now);
  const end = Math.floor(now);
  return (
    <>
      <section class="plots one" aria-label="The last ten minutes">
        <Plot figure={RATE} data={[seconds, counts]} range={[end - PLOTTED, end]} />
      </section>
      <Tail lines={lines} of={{ title: "Last messages", label: `Messages of ${channel}, the newest last` }} />
    </>
  );
}

/** What the hub says of a channel, and a way to ask again. */
function useChannel(channel: string): { readonly told: Told | undefined; readonly look: () => void } {
  const [told, tell] = useState<Told>();
  const look = async (signal?: AbortSignal): Promise<void> => {
    if (document.hidden) return;
    const path = `channels?limit=1&pattern=${encodeURIComponent(channel)}`;
    const page = await askServer(path, { cache: "no-store", ...(signal && { signal }) }).catch(() => undefined);
    if (page === undefined || signal?.aborted === true) return;
    const [found] = (page as { readonly channels: readonly Told[] }).channels;
    tell(found ?? { channel, readers: 0, messages: 0, lastTime: null });
  };
  useEffect(() => {
    const end = new AbortController();
    tell(undefined);
    void look(end.signal);
    const timer = setInterval(() => void look(end.signal), LOOK_EVERY);
    return () => {
      end.abort();
      clearInterval(timer);
    };
  }, [channel]);
  return { told, look: () => void look() };
}
