import { useRef, useState } from "preact/hooks";
import type { Hub } from "../../client/index.ts";

/** What is said of the last attempt. */
interface Said {
  readonly kind: "good" | "bad" | "";
  readonly text: string;
}

interface SendProps {
  readonly hub: Hub | undefined;
  readonly sender: string;
  /** What the form begins with. */
  readonly channel?: string;
}

/** A form that sends a test message. */
export function Send({ hub, sender, channel = "default" }: SendProps) {
  const form = useRef<HTMLFormElement>(null);
  const [{ kind, text }, say] = useState<Said>({ kind: "", text: "" });
  const [isSending, setSending] = useState(false);
  const send = async (): Promise<void> => {
    // It may take as long as the server is away, and what is sent twice is kept twice.
    if (hub === undefined || form.current === null || isSending) return;
    setSending(true);
    say({ kind: "", text: "Sending …" });
    say(await publish(hub, sender, form.current));
    setSending(false);
  };
  const field = { spellcheck: false, autocapitalize: "off", autocomplete: "off" } as const;
  return (
    <section class="panel send" aria-labelledby="send-title">
      <header>
        <h2 id="send-title">Send a test message</h2>
      </header>
      <form
        id="send"
        ref={form}
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <label>
          Channel <input id="send-channel" name="channel" defaultValue={channel} required {...field} />
        </label>
        <label>
          Event <input id="send-event" name="event" placeholder="message" {...field} />
        </label>
        <label class="wide">
          Data{" "}
          <textarea
            id="send-data"
            name="data"
            rows={3}
            required
            defaultValue="Hello from the dashboard"
            onKeyDown={({ key, ctrlKey, metaKey }) => {
              // As in a chat: Enter with Control or Command sends.
              if (key === "Enter" && (ctrlKey || metaKey)) form.current?.requestSubmit();
            }}
          />
        </label>
        <label class="check">
          <input id="send-json" name="json" type="checkbox" /> Data is JSON
        </label>
        <button disabled={hub === undefined} aria-disabled={isSending || undefined}>
          Send
        </button>
      </form>
      <p id="sent" role="status" class={kind}>
        {text}
      </p>
    </section>
  );
}

async function publish(hub: Hub, sender: string, form: HTMLFormElement): Promise<Said> {
  const given = new FormData(form);
  const [channel = "", event = "", data = ""] = ["channel", "event", "data"].map((name) => given.get(name) as string);
  let value: unknown = data;
  try {
    if (given.has("json")) value = JSON.parse(data);
  } catch (error) {
    return { kind: "bad", text: `This is not JSON: ${(error as Error).message}` };
  }
  try {
    const options = { sender, ...(event.trim() !== "" && { event: event.trim() }) };
    const { receivers, id } = await hub.publish(channel.trim(), value, options);
    const readers = receivers === 1 ? "1 reader" : `${receivers} readers`;
    return { kind: "good", text: `Kept as ${id}, offered to ${readers}.` };
  } catch (error) {
    return { kind: "bad", text: `Not sent: ${(error as Error).message}` };
  }
}
