import type { Hub } from "../../core/hub.ts";
import type { Subscription } from "../../core/subscription.ts";
import { EVERYTHING } from "../../protocol/channel.ts";
import { ChangeNotifier } from "../change-notifier.ts";

/** Calls back when there are new channels, while it is followed. */
export class NewChannels {
  readonly #hub: Hub;
  readonly #listener: () => void;
  #subscription: Subscription | undefined;
  #known = 0;

  constructor(hub: Hub, listener: () => void) {
    this.#hub = hub;
    this.#listener = listener;
  }

  follow(): void {
    if (this.#subscription !== undefined) return;
    this.#known = this.#hub.log.size().channelsCreated;
    const notifier = new ChangeNotifier({
      pending: 0,
      isLagging: false,
      changed: () => {
        const { channelsCreated } = this.#hub.log.size();
        if (channelsCreated !== this.#known) this.#listener();
        this.#known = channelsCreated;
      },
      keepAlive: () => {},
      drained: () => Promise.resolve(),
      ended: () => {},
    });
    notifier.watch("", [EVERYTHING]);
    this.#subscription = this.#hub.subscribe({ channels: notifier.channels }, notifier);
  }

  unfollow(): void {
    if (this.#subscription !== undefined) this.#hub.unsubscribe(this.#subscription);
    this.#subscription = undefined;
  }
}
