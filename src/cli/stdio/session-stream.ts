import { setTimeout as wait } from "node:timers/promises";
import { Failure, failureOf, isPassing } from "./failure.ts";
import type { HubEndpoint } from "./hub-endpoint.ts";
import type { Message } from "./message.ts";
import { Backoff, openTransport, type SessionState } from "./transport.ts";

/** Ids that a header can say. */
const SAYABLE = /^[\t\x20-\x7e\u0080-\uffff]*$/;

/** Callbacks for what happens on the stream of a session. */
export interface StreamListener {
  receive(message: Message): void;
  opened(): void;
  /** Messages may have been sent that were not read. */
  missed(): void;
  /** The hub no longer knows the session. Throws `Failure` if there can be no other right now. */
  lost(): Promise<unknown>;
  note(sentence: string): void;
}

/** Reads what the hub sends by itself in a session until `over`, and comes back when the connection breaks. */
export async function followSession(
  hub: HubEndpoint,
  session: SessionState,
  listener: StreamListener,
  { isLate, over }: { readonly isLate: boolean; readonly over: AbortSignal },
): Promise<void> {
  const backoff = new Backoff();
  let lastId = "";
  for (let mayMiss = isLate; !over.aborted; mayMiss = true) {
    const ended = Promise.withResolvers<number>();
    let retry = 0;
    try {
      await using transport = await openTransport(hub, session, over, {
        fetch: async (url, init) => {
          const answer = await hub.fetch(url, init);
          if (answer.status === 405) throw new Failure(405, "The hub has no stream");
          return answer;
        },
        // It would come back as often for a stream that the hub has forgotten.
        reconnectionScheduler: (_, asked) => ended.resolve(asked),
        onmessage: (message) => listener.receive(message),
        onclose: () => ended.resolve(0),
      });
      await transport.resumeStream(lastId, { onresumptiontoken: (id) => (lastId = headerValue(id)) });
      listener.opened();
      if (mayMiss && lastId === "") listener.missed();
      retry = await ended.promise;
    } catch (error) {
      if (over.aborted) return;
      const { code, message } = failureOf(error);
      if (code === 405) return;
      if (code === 404 && session.id !== undefined) {
        if (await isRenewed(listener)) return;
      } else if (code === 400 && lastId !== "") {
        // It has forgotten what came after that.
        lastId = "";
      } else if (!isPassing(code)) {
        listener.note(`the hub sends nothing by itself: ${message}`);
        return;
      }
    }
    await wait(backoff.next(retry), undefined, { signal: over }).catch(() => {});
  }
}

/** An id in UTF-8, as the HTML standard has it: Node takes a character for each byte. Empty if no header can say it. */
function headerValue(id: string): string {
  return SAYABLE.test(id) ? Buffer.from(id).toString("latin1") : "";
}

function isRenewed(listener: StreamListener): Promise<boolean> {
  return listener.lost().then(
    () => true,
    () => false,
  );
}
