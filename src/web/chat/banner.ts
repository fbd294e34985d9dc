import type { Hub, HubClientError } from "../../client/index.ts";
import { onOffline } from "../offline.ts";
import { element, labelled } from "../page.ts";

/** Milliseconds for which nobody need know that the server is away. */
const PATIENCE = 800;

export interface BannerEvents {
  /** The hub is there, and what was missed, and by others of this page, is to be made up for. */
  readonly back: (wasAway: boolean) => void;
  /** It is not, for now or for good. */
  readonly away: () => void;
}

/** Says when the server is away, unless it is back at once. */
export class Banner {
  readonly #hub: Hub;
  readonly #events: BannerEvents;
  readonly #banner = element("banner", HTMLElement);
  readonly #reload = element("reload", HTMLButtonElement);
  #saying: ReturnType<typeof setTimeout> | undefined;
  #isOffline = false;
  #wasAway = false;

  constructor(hub: Hub, events: BannerEvents) {
    this.#hub = hub;
    this.#events = events;
    hub.onState(({ kind }) => {
      // What has just become live is no longer offline, whatever the browser says.
      if (kind === "live") this.#isOffline = false;
      this.#show();
    });
    onOffline((isOffline) => this.#setOffline(isOffline));
    this.#reload.addEventListener("click", () => location.reload());
  }

  /** Whether what is sent goes on its way now. */
  get isLive(): boolean {
    return this.#hub.state.kind === "live" && !this.#isOffline;
  }

  #setOffline(isOffline: boolean): void {
    if (isOffline === this.#isOffline) return;
    this.#isOffline = isOffline;
    this.#show();
  }

  #show(): void {
    clearTimeout(this.#saying);
    const { state } = this.#hub;
    if (this.isLive) {
      this.#banner.hidden = true;
      this.#events.back(this.#wasAway);
      this.#wasAway = false;
      return;
    }
    this.#wasAway ||= state.kind === "waiting" || this.#isOffline;
    this.#events.away();
    if (state.kind === "closed") this.#say(closedSentence(state.error), true);
    else if (this.#isOffline) this.#say("You are offline. What you send waits here until you are back.");
    else if (state.kind === "waiting") this.#saying = setTimeout(() => this.#say(awaySentence(state.error)), PATIENCE);
  }

  #say(sentence: string, isFinal = false): void {
    this.#banner.hidden = false;
    this.#reload.hidden = !isFinal;
    labelled(element("why", HTMLElement), sentence);
  }
}

function awaySentence({ code, message }: HubClientError): string {
  const isRefusal = !["UNREACHABLE", "CONNECTION_LOST", "SILENT"].includes(code);
  return `${isRefusal ? message : "The server cannot be reached"}. What you send waits here until it is back.`;
}

function closedSentence(error: HubClientError | undefined): string {
  const why = error === undefined ? "" : `: ${error.message.replace(/\.$/, "")}`;
  return `The server refuses this page${why}. Nothing comes or goes until it is loaded again; what you send waits here.`;
}
