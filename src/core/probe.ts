import { serverChannel } from "../protocol/channel.ts";
import type { Log } from "./log.ts";
import type { Message } from "./message.ts";

const PROBE = serverChannel("probe");

/** Messages that are sent into a log only to see them come back. */
export class Probes {
  readonly #waiting = new Map<string, () => void>();
  #sent = 0;

  /** Resolves once a write reached the log and a message came back from it; rejects otherwise. */
  async send(log: Log): Promise<void> {
    await log.check();
    const data = String(this.#sent++);
    const back = new Promise<void>((resolve) => this.#waiting.set(data, resolve));
    try {
      await log.append({ channel: PROBE, event: "probe", data, sender: "hub", ephemeral: true });
      await back;
    } finally {
      this.#waiting.delete(data);
    }
  }

  /** Whether a message is a probe; readers never see those. */
  take({ channel, data }: Message): boolean {
    if (channel !== PROBE) return false;
    this.#waiting.get(data)?.();
    return true;
  }
}
