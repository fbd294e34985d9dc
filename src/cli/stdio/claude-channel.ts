import { setTimeout as wait } from "node:timers/promises";
import { isObject } from "../../protocol/json.ts";
import { Failure, isPassing } from "./failure.ts";
import { notification, type JsonObject, type Message, type Request } from "./message.ts";
import type { Output } from "./output.ts";
import { Backoff } from "./transport.ts";

/** The capability and the notification by which Claude Code is woken ("Channels reference"). */
const NAME = "claude/channel";
/** Seconds of one wait. The hub cuts it if it must. */
const WAIT = 3600;
/** Milliseconds in which more may come that is told as one, and until the next is told. */
const GATHER = 200;
const REST = 1000;
/** Bytes of what is told at once. */
const MAX_BYTES = 8000;

/** Sends a request to the hub in the session of the client; resolves with its answer. Throws `Failure`. */
type Call = (request: Request) => Promise<Message>;

/** The answer to `initialize`, saying that messages of channels will be pushed. */
export function withChannelCapability(reply: Message): Message {
  const { result } = reply;
  if (result === undefined) return reply;
  const capabilities = isObject(result["capabilities"]) ? result["capabilities"] : {};
  const experimental = isObject(capabilities["experimental"]) ? capabilities["experimental"] : {};
  return {
    ...reply,
    result: { ...result, capabilities: { ...capabilities, experimental: { ...experimental, [NAME]: {} } } },
  };
}

/**
 * Tells the client of what is published from now on, until `over`: what comes at about the same time as one, in the words
 * of `wait_for_messages`, which fence what strangers wrote. What the client itself sent is left out.
 */
export async function pushMessages(
  channels: readonly string[],
  call: Call,
  output: Output,
  note: (sentence: string) => void,
  over: AbortSignal,
): Promise<void> {
  const backoff = new Backoff();
  let count = 0;
  const waited = async (after: string | undefined, timeoutSeconds: number): Promise<Page> => {
    const id = `${NAME}-${++count}`;
    const input = { channels, timeoutSeconds, exceptSender: ["me"], maxBytes: MAX_BYTES, ...(after && { after }) };
    const params = { name: "wait_for_messages", arguments: input, _meta: { progressToken: id } };
    return pageIn(await call({ jsonrpc: "2.0", id, method: "tools/call", params }));
  };
  let after: string | undefined;
  while (!over.aborted) {
    try {
      after ??= (await waited(undefined, 0)).next;
      let page = await waited(after, WAIT);
      if (page.count > 0) {
        await wait(GATHER, undefined, { signal: over });
        page = await waited(after, 0);
        const meta = { count: String(page.count), channels: page.channels.join(" "), after, next: page.next };
        output.write(notification(NAME, { content: page.text, meta }));
        await output.ready();
        await wait(REST, undefined, { signal: over });
      }
      after = page.next;
    } catch (error) {
      if (over.aborted) return;
      const { code, message } = error as Failure;
      if (!(error instanceof Failure) || !isPassing(code)) return note(`no messages are pushed: ${message}`);
      await wait(backoff.next(), undefined, { signal: over }).catch(() => {});
    }
  }
}

interface Page {
  readonly text: string;
  readonly count: number;
  readonly channels: readonly string[];
  readonly next: string;
}

function pageIn({ result, error }: Message): Page {
  const [said] = Array.isArray(result?.["content"]) ? (result["content"] as readonly JsonObject[]) : [];
  const given = said?.["text"] ?? error?.["message"];
  const text = typeof given === "string" ? given : "";
  const page = result?.["structuredContent"];
  if (result?.["isError"] === true || !isObject(page)) throw failureIn(error, text);
  const messages = page["messages"] as readonly { readonly channel: string }[];
  const channels = [...new Set(messages.map(({ channel }) => channel))];
  return { text, count: messages.length, channels, next: String(page["next"]) };
}

/** A refusal that will pass is one to wait out. */
function failureIn(error: JsonObject | undefined, text: string): Failure {
  const data = isObject(error?.["data"]) ? error["data"] : {};
  return new Failure(data["retry"] === true ? 503 : 400, text);
}
