import type { Chat } from "./chat.ts";
import { Face, Kept, Name } from "./message-row.tsx";
import type { Outgoing } from "./outbox.ts";

const MAX_SHOWN = 500;

/** What is on its way, after the messages that are kept. `acted`: a button was pressed that is gone then. */
export function OutboxRows({ chat, acted }: { readonly chat: Chat | undefined; readonly acted: () => void }) {
  const all = chat?.outbox.of(chat.channel) ?? [];
  // A reaction and the like are shown at the message, unless they do not get there.
  const messages = all.filter(
    ({ about, state }) => about === undefined || ["reply", "message"].includes(about.event) || state === "failed",
  );
  return (
    <ol id="outbox" aria-label="On their way" hidden={messages.length === 0}>
      {messages.map((message) => {
        const { key, sender = "anyone", text, state, receipt } = message;
        return (
          <li key={key} class={`row head ${state}`}>
            <Face sender={sender} />
            <p class="who">
              <Name sender={sender} />
            </p>
            <div class="said" dir="auto">
              {text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text}
            </div>
            {receipt === undefined ? (
              <Way chat={chat as Chat} message={message} acted={acted} />
            ) : (
              <Kept {...receipt} />
            )}
          </li>
        );
      })}
    </ol>
  );
}

interface WayProps {
  readonly chat: Chat;
  readonly message: Outgoing;
  readonly acted: () => void;
}

function Way({
  chat: {
    outbox,
    reach: { state: reach },
  },
  message,
  acted,
}: WayProps) {
  if (message.state !== "failed") {
    return <p class="way">{reach === "live" ? "Sending…" : "Waits for the server"}</p>;
  }
  const press = (act: () => void) => () => {
    act();
    acted();
  };
  return (
    <p class="way">
      <span class="reason">{`Not sent. ${message.reason ?? ""}`}</span>
      {reach !== "closed" && (
        <button type="button" onClick={press(() => outbox.retry(message))}>
          Try again
        </button>
      )}
      <button type="button" onClick={press(() => outbox.discard(message))}>
        Discard
      </button>
    </p>
  );
}
