import { HubClientError, type Hub } from "../../client/index.ts";
import { watchConnection, type Connection } from "../shared/connection.ts";

/** Milliseconds for which it is not said that the server is away: it may be back at once. */
const AWAY_DELAY = 800;

export interface ReachOptions {
  /** Something is to be rendered. */
  readonly changed: () => void;
  /** The server can be reached again; `wasAway`: others may not have heard of this page since. */
  readonly back: (wasAway: boolean) => void;
}

/** Whether the server can be reached, and what is said if it cannot. */
export class Reach {
  /** What is said of the connection, unless all is well. */
  away: Exclude<Connection, { kind: "live" | "idle" | "connecting" }> | undefined;
  readonly #options: ReachOptions;
  #connection: Connection = { kind: "idle" };
  #wasAway = false;
  #saying: ReturnType<typeof setTimeout> | undefined;

  constructor(hub: Hub, options: ReachOptions) {
    this.#options = options;
    watchConnection(hub, (connection) => this.#connected(connection));
  }

  /** Whether what is sent goes on its way now, later, or only when the page is loaded again. */
  get state(): "live" | "away" | "closed" {
    const { kind } = this.#connection;
    return kind === "live" || kind === "closed" ? kind : "away";
  }

  #connected(connection: Connection): void {
    const wasLive = this.#connection.kind === "live";
    this.#connection = connection;
    this.#options.changed();
    // An attempt to come back says nothing yet.
    if (connection.kind === "connecting" || connection.kind === "idle") return;
    clearTimeout(this.#saying);
    if (connection.kind === "live") {
      if (wasLive) return;
      this.away = undefined;
      this.#options.back(this.#wasAway);
      this.#wasAway = false;
      return;
    }
    this.#wasAway = true;
    const say = (): void => {
      this.away = connection;
      this.#options.changed();
    };
    if (connection.kind === "waiting" && this.away === undefined) this.#saying = setTimeout(say, AWAY_DELAY);
    else say();
  }
}

/** A hub that is closed sends nothing; another one, on the page that is loaded next, does. */
export function sayUntil(error: HubClientError): never {
  if (error.code !== "CLOSED") throw error;
  throw new HubClientError("CLOSED", "It is sent when the page is loaded again.", { final: false, cause: error });
}
