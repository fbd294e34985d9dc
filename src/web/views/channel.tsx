import { render } from "preact";
import type { Message } from "../../protocol/message.ts";
import { WithLinks } from "../shared/links.tsx";
import { readable } from "../shared/names.ts";
import { beginningOf } from "../shared/text.ts";
import { clock, fullTime } from "../shared/times.ts";
import { inSight, isInSight, mend } from "./frame.ts";
import { Host, type JsonObject } from "./host.ts";

/** Messages shown at most. */
const MAX_SHOWN = 50;
/** Seconds that one call waits for messages: below what hosts allow. */
const WAIT = 20;

/** The channel that `read_messages` read: what it answered, and what comes from then on. */
class ChannelView {
  readonly #host = new Host({ input: (input) => this.#take(input), result: (result) => void this.#begin(result) });
  #channel = "default";
  #messages: readonly Message[] = [];
  #next: string | undefined;
  #note = "Loading…";
  #isPaused = false;

  async open(): Promise<void> {
    mend(this.#host);
    this.#render();
    await this.#host.open("hub-channel");
  }

  #take({ channel }: JsonObject): void {
    if (typeof channel === "string" && channel !== "") this.#channel = channel;
    this.#render();
  }

  async #begin(result: JsonObject | undefined): Promise<void> {
    if (result === undefined) return this.#say("The channel could not be read.");
    this.#add(result);
    await this.#follow();
  }

  /** Reads on; after a failure only when the person asks for it. */
  async #follow(): Promise<void> {
    this.#isPaused = false;
    try {
      while (!this.#host.isOver) {
        if (!isInSight()) this.#say("Paused while it is out of sight");
        await inSight();
        this.#say("Live");
        const after = this.#next === undefined ? {} : { after: this.#next };
        const input = { channels: [this.#channel], ...after, timeoutSeconds: WAIT };
        this.#add(await this.#host.call("wait_for_messages", input));
      }
    } catch (error) {
      this.#isPaused = true;
      this.#say((error as Error).message);
    }
  }

  #add({ messages, next }: JsonObject): void {
    const fresh = (Array.isArray(messages) ? messages : []) as readonly Message[];
    this.#messages = [...this.#messages, ...fresh].slice(-MAX_SHOWN);
    if (typeof next === "string") this.#next = next;
    this.#render();
  }

  #say(note: string): void {
    this.#note = note;
    this.#render();
  }

  #render(): void {
    const shown = (
      <section aria-labelledby="channel">
        <h2 id="channel">{this.#channel}</h2>
        <ol aria-live="polite">
          {this.#messages.map((message) => (
            <Row key={message.id} message={message} />
          ))}
        </ol>
        {this.#messages.length === 0 && <p class="note">No messages yet</p>}
        <p class="note" role="status">
          {this.#note}{" "}
          {this.#isPaused && (
            <button type="button" onClick={() => void this.#follow()}>
              Go on
            </button>
          )}
        </p>
      </section>
    );
    render(shown, document.getElementById("view") as HTMLElement);
  }
}

function Row({ message: { sender, time, data, event } }: { readonly message: Message }) {
  const text = typeof data === "string" ? data : JSON.stringify(data);
  const beginning = beginningOf(text);
  const at = new Date(time);
  return (
    <li>
      <p class="from">
        <bdi>{readable(sender)}</bdi> {event !== "message" && <small>{readable(event)} </small>}
        <time dateTime={time} title={fullTime(at)}>
          {clock(at)}
        </time>
      </p>
      <p class="said" dir="auto">
        <WithLinks text={beginning === text ? text : `${beginning}…`} />
      </p>
    </li>
  );
}

void new ChannelView().open();
