import type { NotificationStream } from "../request-context.ts";
import type { EventRing } from "./event-ring.ts";

/** A connection that carries a stream of a session. */
export interface SessionConnection extends Partial<
  Pick<NotificationStream, "pending" | "isLagging" | "keepAlive" | "drained">
> {
  /** Set if its client does not accept events, so that it carries only answers. */
  readonly answersOnly?: true;
  /** Sends one JSON-RPC message as text, as the event with this id; never waits, never throws. */
  write(message: string, id?: string, isAnswer?: boolean): void;
  /** Sends an event without data, whose id lets the client resume. */
  prime(id: string): void;
  /** Ends it after what was written. */
  end(): void;
  /** Closes it at once. */
  cut(): void;
}

/** A stream of a session. It outlives its connections: a client may resume it on another one. */
export class SessionStream {
  readonly name: string;
  /** Called when it loses the connection it has now. */
  onDetached: () => void = () => {};
  #connection: SessionConnection | undefined;
  readonly #ring: EventRing | undefined;

  /** Without a ring, what is sent has no id and cannot be sent again. */
  constructor(name: string, ring: EventRing | undefined) {
    this.name = name;
    this.#ring = ring;
  }

  get connection(): SessionConnection | undefined {
    return this.#connection;
  }

  set connection(connection: SessionConnection | undefined) {
    this.#connection = connection;
    this.onDetached();
  }

  send(message: string, isAnswer = false): void {
    const id = this.#ring?.add(this.name, message, isAnswer);
    this.connection?.write(message, id, isAnswer);
  }

  /** Sends what a client that resumes need not get again. */
  sendOnce(message: string): void {
    this.connection?.write(message);
  }

  /** Sends the client an id to resume from. */
  prime(): void {
    if (this.#ring !== undefined) this.connection?.prime(this.#ring.add(this.name));
  }

  /** Ends the connection, if there is one; the stream may continue on another. */
  pause(): void {
    this.connection?.end();
    this.connection = undefined;
  }
}
