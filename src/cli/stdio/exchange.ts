import { SdkError, SdkHttpError, type JSONRPCMessage } from "@modelcontextprotocol/client";
import { remedy } from "../usage.ts";
import { broken, failureOf, isMalformed, isPassing, noMessage } from "./failure.ts";
import type { HubEndpoint } from "./hub-endpoint.ts";
import { isRequest, messageOf, versionOf, type Message } from "./message.ts";
import { Backoff, openTransport, type SessionState } from "./transport.ts";

export interface ExchangeOptions {
  readonly signal: AbortSignal;
  readonly session?: SessionState | undefined;
  /** Told when the hub has begun to answer. */
  readonly begun?: () => void;
}

/**
 * Sends one message, and gives `receive` what the hub sends for it, the answer last. Each message has a transport of its
 * own, so that what comes back is known to belong to it. Returns the id of the session that the hub has opened with it.
 * Throws `Failure`, with the code 404 if the hub no longer knows the session.
 */
export async function exchange(
  hub: HubEndpoint,
  message: Message,
  receive: (message: Message) => void,
  { signal, session, begun }: ExchangeOptions,
): Promise<string | undefined> {
  const answered = Promise.withResolvers<void>();
  answered.promise.catch(() => {});
  const backoff = new Backoff();
  let answer: Response | undefined;
  await using transport = await openTransport(hub, session ?? { protocolVersion: versionOf(message) }, signal, {
    // The transport opens the stream of a session by itself, but does not say when it is open; `followSession` does.
    fetch: async (url, init) => {
      if (init?.method === "GET" && !isRequest(message)) return new Response(null, { status: 405 });
      return (answer = await hub.fetch(url, init, answered.reject));
    },
    reconnectionScheduler: (reconnect, delay) => {
      const timer = setTimeout(reconnect, backoff.next(delay));
      return () => clearTimeout(timer);
    },
    onmessage: (reply) => {
      // If the hub refused the message before it was read, the id is missing.
      receive("method" in reply || reply.id !== undefined ? reply : { ...reply, id: message.id });
      if (!("method" in reply)) answered.resolve();
    },
    onerror: (error) => {
      // After another error comes another attempt, or the end of the stream.
      if (isMalformed(error)) answered.reject(error);
      else if (error instanceof SdkHttpError && !isPassing(error.status)) answered.reject(broken());
    },
    onclose: () => answered.reject(broken()),
  });
  try {
    const onRequestStreamEnd = (): void => answered.reject(broken());
    await transport.send(message as JSONRPCMessage, { onRequestStreamEnd }).finally(begun);
    const isStream = answer?.headers.get("content-type")?.startsWith("text/event-stream") === true;
    if (answer !== undefined && !isStream) answered.reject(noMessage(answer));
    if (isRequest(message)) await answered.promise;
  } catch (error) {
    if (error instanceof SdkError && !(error instanceof SdkHttpError) && answer !== undefined) throw noMessage(answer);
    const status = error instanceof SdkHttpError ? error.status : undefined;
    const refused = error instanceof SdkHttpError ? errorIn(String(error.data["text"])) : undefined;
    const isLost = status === 404 && session?.id !== undefined;
    if (isLost || refused === undefined || !isRequest(message)) throw failureOf(error);
    receive({
      jsonrpc: "2.0",
      id: message.id,
      error: { ...refused, message: `${String(refused["message"])}${remedy(status)}` },
    });
  }
  return transport.sessionId;
}

/** The error of a JSON-RPC answer. */
function errorIn(text: string): Message["error"] {
  try {
    return messageOf(JSON.parse(text))?.error;
  } catch {
    return undefined;
  }
}
