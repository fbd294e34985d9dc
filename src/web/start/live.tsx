import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Hub, Message } from "../../client/index.ts";
import { Invitation } from "../first-visit/invitation.tsx";
import { mayWrite, verifiedName, type Session } from "../shared/session.ts";
import { beginningOf } from "../shared/text.ts";

const CHANNEL = "default";
const MAX_SHOWN = 20;
/** Pixels from the end of the list that count as being there. */
const NEAR = 40;
/** Milliseconds before it is said that publishing takes a while. */
const BUSY_DELAY = 500;

interface LiveProps {
  readonly hub: Hub | undefined;
  readonly session: Session | undefined;
  readonly origin: string;
}

/** The last messages of the channel, those that come, and a form that publishes; and what to do while there are none. */
export function Live({ hub, session, origin }: LiveProps) {
  const sender = (session && verifiedName(session)) ?? "start page";
  const { messages, list, isLoaded } = useMessages(hub);
  const field = useRef<HTMLInputElement>(null);
  const { said, isBusy, publish } = usePublish(hub, sender, () => field.current?.form?.reset());
  return (
    <section aria-labelledby="live">
      <h2 id="live">
        Live on <code>{CHANNEL}</code>
      </h2>
      <ol id="messages" ref={list} aria-live="polite" aria-label="Messages, the newest last" tabIndex={0}>
        {messages.map((message) => (
          <Item key={message.id} {...message} />
        ))}
      </ol>
      {isLoaded && messages.length === 0 && session !== undefined && (
        <Invitation
          channel={CHANNEL}
          origin={origin}
          needsCredential={session.login !== "none"}
          mayWrite={mayWrite(session, CHANNEL)}
          asked={() => location.assign(`chat#${CHANNEL}`)}
        />
      )}
      <form
        id="say"
        onSubmit={(event) => {
          event.preventDefault();
          if (field.current !== null) void publish(field.current.value);
        }}
      >
        <input
          id="text"
          ref={field}
          name="text"
          autocomplete="off"
          placeholder="Say something"
          aria-label="Message"
          required
        />
        <button disabled={hub === undefined}>Publish</button>
      </form>
      <p id="said" role="alert" aria-busy={isBusy}>
        {said}
      </p>
    </section>
  );
}

function Item({ time, sender, data }: Message) {
  const text = `${sender}: ${typeof data === "string" ? data : JSON.stringify(data)}`;
  const beginning = beginningOf(text);
  return (
    <li>
      <time dateTime={time}>{new Date(time).toLocaleTimeString()}</time>
      <span>{beginning === text ? text : `${beginning}…`}</span>
    </li>
  );
}

/** The last messages, and the list that shows them: it stays at its end if it was there. */
function useMessages(hub: Hub | undefined) {
  const [messages, setMessages] = useState<readonly Message[]>([]);
  const [isLoaded, setLoaded] = useState(false);
  const list = useRef<HTMLOListElement>(null);
  const isAtEnd = useRef(true);
  useLayoutEffect(() => {
    if (list.current !== null && isAtEnd.current) list.current.scrollTop = list.current.scrollHeight;
  }, [messages]);
  useEffect(() => {
    if (hub === undefined) return;
    const add = (...fresh: readonly Message[]): void => {
      if (list.current !== null) {
        const { scrollHeight, scrollTop, clientHeight } = list.current;
        isAtEnd.current = scrollHeight - scrollTop - clientHeight < NEAR;
      }
      // What is not kept, such as who is here, is not meant for people.
      setMessages((shown) => [...shown, ...fresh.filter(({ id }) => id !== null)].slice(-MAX_SHOWN));
    };
    const begin = async (): Promise<void> => {
      const page = await lastPage().catch(() => undefined);
      if (page !== undefined) {
        add(...page.messages);
        setLoaded(true);
      }
      if (hub.state.kind === "closed") return;
      const after = page === undefined ? {} : { after: page.next };
      hub.subscribe(CHANNEL, { ...after, onMessage: (message) => add(message) });
    };
    void begin();
  }, [hub]);
  return { messages, list, isLoaded };
}

async function lastPage(): Promise<{ readonly messages: readonly Message[]; readonly next: string }> {
  const response = await fetch(`channels/${CHANNEL}/messages?before=latest&limit=${MAX_SHOWN}`);
  return (await response.json()) as { readonly messages: readonly Message[]; readonly next: string };
}

/** Publishes one text at a time: it may take as long as the server is away, and what is sent twice is kept twice. */
function usePublish(hub: Hub | undefined, sender: string, done: () => void) {
  const [said, say] = useState("");
  const isPublishing = useRef(false);
  const [isBusy, setBusy] = useState(false);
  const publish = async (text: string): Promise<void> => {
    if (hub === undefined || isPublishing.current) return;
    isPublishing.current = true;
    say("");
    const slow = setTimeout(() => {
      setBusy(true);
      say("Publishing …");
    }, BUSY_DELAY);
    try {
      await hub.publish(CHANNEL, text, { sender });
      say("");
      done();
    } catch (error) {
      say(`Not published: ${(error as Error).message}`);
    } finally {
      clearTimeout(slow);
      setBusy(false);
      isPublishing.current = false;
    }
  };
  return { said, isBusy, publish };
}
