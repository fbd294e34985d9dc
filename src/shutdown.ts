import { setTimeout as wait } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import type { Auth } from "./auth/open.ts";
import type { Bridges } from "./bridges/open.ts";
import type { Hub } from "./core/hub.ts";
import type { Questions } from "./core/questions.ts";
import type { Schedule } from "./core/schedule.ts";
import type { Discovery } from "./discovery/discovery.ts";
import type { OpenedMcp } from "./mcp/open.ts";
import type { Connections } from "./ops/connections.ts";
import type { HubChannels } from "./ops/hub-channels.ts";
import type { LogOutput } from "./ops/log-output.ts";
import type { LogSummaries } from "./ops/log-summaries.ts";
import type { Nodes } from "./ops/nodes.ts";
import type { ServerInfoSource } from "./ops/server-info.ts";
import type { Telemetry } from "./ops/telemetry/open.ts";
import type { Notifier } from "./notify/notifier.ts";
import type { Hooks } from "./webhooks/in/hooks.ts";
import type { Webhooks } from "./webhooks/out/webhooks.ts";

/** What a server consists of; what its start has not come to is missing. */
export interface ServerParts {
  readonly hub: Hub;
  readonly nodes: Nodes;
  readonly output: LogOutput;
  /** Closes the hub and its log, and ends the readers spread over so many milliseconds. */
  readonly closeHub: (spread: number) => Promise<void>;
  /** Disconnects from what the nodes share. */
  readonly release: () => Promise<void>;
  auth?: Auth;
  schedule?: Schedule;
  questions?: Questions;
  connections?: Connections;
  source?: ServerInfoSource;
  hubChannels?: HubChannels;
  mcp?: OpenedMcp;
  summaries?: LogSummaries;
  app?: FastifyInstance;
  telemetry?: Telemetry | undefined;
  discovery?: Discovery | undefined;
  hooks?: Hooks | undefined;
  bridges?: Bridges | undefined;
  webhooks?: Webhooks;
  files?: { close(): void } | undefined;
  notifier?: Notifier | undefined;
}

/** Milliseconds to wait for the last spans and metrics to be exported. */
const LAST_SPANS = 2000;
/** Milliseconds to wait for the last log lines to be written. */
const LAST_LINES = 500;

/** Stops a server, also one whose start failed half-way: first the wait for balancers, then everything that is open. */
export class Shutdown {
  readonly #parts: ServerParts;
  readonly #drainWait: number;
  readonly #say: (sentence: string) => void;
  #drained: Promise<void> | undefined;
  #closed: Promise<void> | undefined;
  #isDraining = false;

  /** `drainWait` is in seconds; `say` is called with what happens, for the operator. */
  constructor(parts: ServerParts, drainWait: number, say: (sentence: string) => void) {
    this.#parts = parts;
    this.#drainWait = drainWait;
    this.#say = say;
  }

  /** Whether it has begun. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Has `/health` say 503; resolves after the wait for balancers, or once `skip` is aborted. */
  drain(skip?: AbortSignal): Promise<void> {
    return (this.#drained ??= this.#drain(skip));
  }

  /** Closes everything without the wait, and ends the readers spread over so many milliseconds. */
  close(spread: number): Promise<void> {
    this.#drained ??= Promise.resolve();
    return (this.#closed ??= this.#close(spread));
  }

  /** Both, one after the other; without a wait for balancers, new work is refused at once. */
  async stop(spread: number): Promise<void> {
    if (this.#drainWait > 0) await this.drain();
    await this.close(spread);
  }

  async #drain(skip: AbortSignal | undefined): Promise<void> {
    if (this.#drainWait > 0) this.#say(`draining: readers are ended in ${this.#drainWait} s`);
    this.#begin();
    await wait(this.#drainWait * 1000, undefined, { signal: skip, ref: false }).catch(() => {});
  }

  async #close(spread: number): Promise<void> {
    const { hub, output, closeHub, release, ...parts } = this.#parts;
    this.#begin();
    parts.summaries?.close();
    const readers = hub.size === 1 ? "1 reader is" : `${hub.size} readers are`;
    this.#say(`stopping: ${readers} ended within ${spread / 1000} s`);
    parts.connections?.drain();
    parts.mcp?.sessions.drain();
    // No one is to be sent here from now on; what the registry says need not be waited for yet.
    const deregistered = parts.discovery?.close();
    parts.hooks?.close();
    // What they receive would not be kept any more; what they sent is noted in the log.
    await parts.bridges?.close();
    // Another node sends what is due from now on.
    await parts.schedule?.close();
    await parts.notifier?.close();
    await parts.questions?.close();
    await parts.hubChannels?.close();
    await parts.webhooks?.close();
    parts.files?.close();
    await closeHub(spread);
    // Calls that waited and streams of events are answered in this turn, before their sessions and connections are closed.
    await new Promise<void>((resolve) => setImmediate(resolve));
    parts.mcp?.close();
    parts.source?.close();
    parts.auth?.close();
    await parts.app?.close();
    await parts.telemetry?.close(LAST_SPANS);
    await deregistered;
    await release();
    await output.close(LAST_LINES);
  }

  #begin(): void {
    this.#isDraining = true;
    this.#parts.nodes.sendStatus();
    this.#parts.discovery?.drain();
  }
}
