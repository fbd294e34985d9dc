import { uncovered, type ChannelPattern } from "../protocol/channel.ts";
import { earliestOf } from "../protocol/cursor.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";
import type { HubState, SourceEvent } from "./transport.ts";

/** What a tab reads, and from which cursor. */
export interface TabRequest {
  readonly patterns: readonly string[];
  readonly from?: string | undefined;
}

/** Milliseconds in which requests of several tabs are put together. */
const GATHER = 20;

/** The connection of the tab that leads: it reads what all tabs want, and tells all of them what comes. */
export class TabLeader {
  readonly connection: Connection;
  readonly #tell: (event: SourceEvent) => void;
  readonly #requests = new Map<string, TabRequest>();
  #state: HubState = { kind: "connecting" };
  #gathering: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(options: ConnectionOptions, tell: (event: SourceEvent) => void) {
    this.#tell = tell;
    this.connection = new Connection(options, (event) => this.#hear(event));
  }

  has(tab: string): boolean {
    return this.#requests.has(tab);
  }

  /** A tab reads this from now on; without patterns, nothing. */
  request(tab: string, request: TabRequest): void {
    if (request.patterns.length === 0) this.#requests.delete(tab);
    else this.#requests.set(tab, request);
    // At once if it is the only one: the timers of a page in the background are late.
    if (this.#gathering !== undefined || this.#closed) return;
    this.#read();
    this.#gathering = setTimeout(() => {
      this.#gathering = undefined;
      this.#read();
    }, GATHER);
  }

  tellState(): void {
    this.#hear({ kind: "state", state: this.#state });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#gathering);
    this.connection.close();
  }

  #read(): void {
    const requests = [...this.#requests.values()];
    // A place is asked for once; from then on it moves.
    for (const [tab, { patterns }] of this.#requests) this.#requests.set(tab, { patterns });
    const patterns = requests.flatMap((request) => request.patterns) as ChannelPattern[];
    this.connection.read(uncovered(patterns), earliestOf(requests.map(({ from }) => from)));
    this.tellState();
  }

  #hear(event: SourceEvent): void {
    if (this.#closed) return;
    if (event.kind === "state") {
      this.#state = event.state;
      // It rests between two requests; the tabs need not know.
      if (event.state.kind === "idle" && this.#requests.size > 0) return;
    }
    if (event.kind === "refused") this.#requests.clear();
    this.#tell(event);
  }
}
