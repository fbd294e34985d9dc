import type { ComponentType } from "preact";
import { useRef, useState } from "preact/hooks";
import { askServer } from "../shared/ask-server.ts";
import { Line } from "../shared/line.tsx";

interface InvitationProps {
  readonly channel: string;
  /** Where the server is, as the browser knows it. */
  readonly origin: string;
  readonly needsCredential: boolean;
  /** Whether the person may publish on the channel. */
  readonly mayWrite: boolean;
  /** The name that the person gave; the server knows it if they have logged in. */
  readonly name?: string | undefined;
  /** Takes the person to where they say their name; absent if they have one. */
  readonly sayName?: (() => void) | undefined;
  /** A question was asked: it is to be shown. */
  readonly asked?: () => void;
}

/** The first steps on a channel where nothing has been said yet. */
export function Invitation({ channel, origin, needsCredential, mayWrite, name, sayName, asked }: InvitationProps) {
  const credential = needsCredential ? ' -H "Authorization: Bearer $HUB_TOKEN"' : "";
  return (
    <section class="invitation" aria-labelledby="invitation">
      <h2 id="invitation">
        Begin on <code>{channel}</code>
      </h2>
      {sayName !== undefined && (
        <p>
          Others see you as <b>anyone</b>:{" "}
          <button id="say-name" type="button" onClick={sayName}>
            Say who you are
          </button>
        </p>
      )}
      <ol>
        {mayWrite && <AskYourself channel={channel} name={name} asked={asked} />}
        <li>
          <p>
            Connect an agent, here Claude Code; <a href="./#connect">other clients</a>:
          </p>
          <Line id="first-agent">{`claude mcp add --transport http hub ${origin}/mcp`}</Line>
        </li>
        {mayWrite && (
          <li>
            <p>Send a message from a terminal or a service:</p>
            <Line id="first-curl">{`curl ${origin}/channels/${channel}/messages${credential} -d "Hello"`}</Line>
          </li>
        )}
      </ol>
      <ShowMe />
    </section>
  );
}

/** Opens a real question on the channel, so that the person sees what an agent's looks like, and what its answer does. */
function AskYourself({ channel, name, asked }: Pick<InvitationProps, "channel" | "name" | "asked">) {
  const [isAsking, setAsking] = useState(false);
  const [failure, setFailure] = useState("");
  const ask = async (): Promise<void> => {
    setAsking(true);
    setFailure("");
    const question = {
      channel,
      text: "Did this question reach you?",
      context:
        "You asked it yourself. An agent asks in the same way, with the tool `ask_person`, and waits for your answer.",
      answer: { kind: "confirm", yes: "Yes", no: "No" },
      ...(name === undefined ? {} : { asker: name }),
    };
    try {
      const headers = { "content-type": "application/json" };
      await askServer("questions", { method: "POST", headers, body: JSON.stringify(question) });
      asked?.();
    } catch (error) {
      setFailure((error as Error).message);
    } finally {
      setAsking(false);
    }
  };
  return (
    <li>
      <p>Ask yourself a question, as an agent asks people, and answer it:</p>
      <button id="ask-yourself" type="button" disabled={isAsking} onClick={() => void ask()}>
        Ask me a question
      </button>
      <p class="failure" role="alert">
        {failure}
      </p>
    </li>
  );
}

/** A demo on request; its script is loaded then. */
function ShowMe() {
  const [Demo, setDemo] = useState<ComponentType<{ readonly close: () => void }>>();
  const [failure, setFailure] = useState("");
  const button = useRef<HTMLButtonElement>(null);
  const show = async (): Promise<void> => {
    setFailure("");
    try {
      const loaded = await import("./demo.tsx");
      setDemo(() => loaded.Demo);
    } catch {
      setFailure("The demo cannot be loaded: the server cannot be reached.");
    }
  };
  const close = (): void => {
    setDemo(undefined);
    button.current?.focus();
  };
  return (
    <>
      <p>
        <button id="show-me" ref={button} type="button" aria-expanded={Demo !== undefined} onClick={() => void show()}>
          Show me, in 20 seconds
        </button>{" "}
        <span class="quiet">A demo in this page only</span>
      </p>
      {Demo !== undefined && <Demo close={close} />}
      <p class="failure" role="alert">
        {failure}
      </p>
    </>
  );
}
