import { element } from "../page.ts";

/** Publishes; the event is empty where none is given. Rejects with a sentence. */
type Publish = (channel: string, data: unknown, event: string) => Promise<{ id: string | null; receivers: number }>;

/** The form that sends a test message. */
export function sendForm(publish: Publish): void {
  const form = element("send", HTMLFormElement);
  const channel = element("send-channel", HTMLInputElement);
  const event = element("send-event", HTMLInputElement);
  const data = element("send-data", HTMLTextAreaElement);
  const isJson = element("send-json", HTMLInputElement);
  const sent = element("sent", HTMLElement);
  const button = form.querySelector("button");
  let isSending = false;
  if (button !== null) button.disabled = false;

  const say = (kind: "good" | "bad" | "", text: string): void => {
    sent.className = kind;
    sent.textContent = text;
  };
  const send = async (): Promise<void> => {
    let value: unknown = data.value;
    try {
      if (isJson.checked) value = JSON.parse(data.value);
    } catch (error) {
      return say("bad", `This is not JSON: ${(error as Error).message}`);
    }
    // It may take as long as the server is away; what is sent twice is there twice.
    isSending = true;
    button?.setAttribute("aria-disabled", "true");
    say("", "Sending …");
    try {
      const { receivers, id } = await publish(channel.value.trim(), value, event.value.trim());
      say("good", `Kept as ${id}, offered to ${receivers === 1 ? "1 reader" : `${receivers} readers`}.`);
    } catch (error) {
      say("bad", `Not sent: ${(error as Error).message}`);
    } finally {
      isSending = false;
      button?.removeAttribute("aria-disabled");
    }
  };
  form.addEventListener("submit", (submitted) => {
    submitted.preventDefault();
    if (!isSending) void send();
  });
  // As in a chat: Enter with Control or Command sends.
  data.addEventListener("keydown", (pressed) => {
    if (pressed.key === "Enter" && (pressed.ctrlKey || pressed.metaKey)) form.requestSubmit();
  });
}
