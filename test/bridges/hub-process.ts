import { Agent } from "node:http";
import { Cli } from "../support/cli.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { request } from "../support/request.ts";

/** A message as history has it. */
export interface Kept {
  readonly id: string;
  readonly channel: string;
  readonly event: string;
  readonly data: unknown;
  readonly sender: string;
  readonly via?: string;
}

/** A hub as a process of its own with bridges, which can be killed and started again on its log. */
export class HubProcess implements AsyncDisposable {
  /** One connection for all requests, as a service would have. */
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #folder = new TemporaryFolder();
  readonly #env: Readonly<Record<string, string>>;
  #cli: Cli | undefined;
  url = "";

  constructor(bridges: readonly unknown[], env: Readonly<Record<string, string>> = {}) {
    this.#env = { PORT: "0", BRIDGES: JSON.stringify(bridges), RATE_LIMITS: "off", DRAIN: "0", ...env };
  }

  static async start(bridges: readonly unknown[], env: Readonly<Record<string, string>> = {}): Promise<HubProcess> {
    const hub = new HubProcess(bridges, env);
    await hub.start();
    return hub;
  }

  get output(): string {
    return `${this.#cli?.stdout}${this.#cli?.stderr}`;
  }

  get pid(): number {
    return this.#cli?.child.pid ?? 0;
  }

  /** Starts it, again if it was killed; `env` changes what it was given at first. */
  async start(env: Readonly<Record<string, string>> = {}): Promise<void> {
    const own = { DATA: `file:${this.#folder.file("hub.db")}` };
    this.#cli = new Cli(["serve"], { env: { ...own, ...this.#env, ...env }, open: true });
    this.url = await this.#cli.url();
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    this.#cli?.kill(signal);
    await this.#cli?.exit();
  }

  async publish(channel: string, data: unknown, query = ""): Promise<string> {
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify(data);
    const answer = await request(`${this.url}/channels/${channel}/messages${query}`, {
      method: "POST",
      headers,
      body,
      agent: this.#agent,
    });
    return (answer.json() as { id: string }).id;
  }

  /** All that is kept on a channel or pattern. */
  async history(channel: string): Promise<readonly Kept[]> {
    const messages: Kept[] = [];
    for (let after = ""; ;) {
      const page = (await request(`${this.url}/channels/${channel}/messages?limit=1000${after}`)).json() as {
        messages: Kept[];
        next: string;
        more: boolean;
      };
      messages.push(...page.messages);
      if (!page.more) return messages;
      after = `&after=${page.next}`;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill("SIGKILL");
    this.#agent.destroy();
    this.#folder[Symbol.dispose]();
  }
}
