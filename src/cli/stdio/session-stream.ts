import { Backoff } from "./backoff.ts";
import { Failure, isPassing } from "./failure.ts";
import { events, refusal, type Place } from "./replies.ts";
import type { Session } from "./session.ts";
import { discard } from "./upstream.ts";

/** Who is told of what happens on the stream of a session. */
export interface StreamListener {
  write(text: string): Promise<void>;
  /** Messages may have been sent while nobody was there to read them. */
  missed(): Promise<void>;
  /** The hub knows the session no more. Throws `Failure` where there can be no other right now. */
  lost(): Promise<unknown>;
  /** The stream is open, or never will be. */
  opened(): void;
  note(sentence: string): void;
}

/** Reads what the hub sends by itself in a session until that is over, and comes back when the connection breaks. */
export async function follow(session: Session, listener: StreamListener, isLate: boolean): Promise<void> {
  const { over } = session;
  const backoff = new Backoff();
  const place: Place = { lastId: "", retry: undefined };
  for (let mayMiss = isLate; !over.aborted; mayMiss = true) {
    try {
      const answer = await session.get(place.lastId, over);
      const { statusCode: status = 0 } = answer;
      listener.opened();
      if (status === 200) {
        if (mayMiss && place.lastId === "") await listener.missed();
        for await (const message of events(answer, place)) await listener.write(message.text);
      } else {
        discard(answer);
        if (status === 405) return;
        if (status === 404 && session.id !== undefined) {
          await listener.lost();
          return;
        }
        // It has forgotten what came behind that.
        if (place.lastId !== "" && status === 400) place.lastId = "";
        else if (status !== 409 && !isPassing(status)) {
          listener.note(`the hub sends nothing by itself: ${refusal(answer).message}`);
          return;
        }
      }
    } catch (error) {
      if (!(error instanceof Failure)) {
        listener.note(`the stream of the session failed: ${error instanceof Error ? error.stack : String(error)}`);
      }
    }
    await backoff.pause(over, place.retry);
  }
}
