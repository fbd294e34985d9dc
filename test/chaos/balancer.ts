import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { leashed, onPath } from "../support/leash.ts";
import { freePort } from "../support/free-port.ts";
import { until } from "../support/until.ts";
import { ask } from "./http.ts";
import type { Place } from "./place.ts";

// A path that a user's PATH may not have.
const BINARY = onPath("haproxy") ?? "/usr/sbin/haproxy";

/** HAProxy before some nodes: it asks each of them how it is, and sends nobody to one that stops. */
export class Balancer implements Place, AsyncDisposable {
  static readonly isInstalled: boolean = existsSync(BINARY);
  readonly name = "balancer";
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#child = child;
  }

  static async open(folder: string, nodes: readonly { readonly port: number }[]): Promise<Balancer> {
    const port = await freePort();
    const file = join(folder, "haproxy.cfg");
    writeFileSync(file, configuration(port, nodes));
    const [command, ...words] = leashed(BINARY, "-db", "-q", "-f", file);
    const balancer = new Balancer(`http://127.0.0.1:${port}`, spawn(command, words, { stdio: "ignore" }));
    await until("the balancer answers", () => {
      if (balancer.#child.exitCode !== null) throw new Error(`HAProxy ended with ${balancer.#child.exitCode}`);
      return ask(`${balancer.url}/health`).then(
        () => true,
        () => false,
      );
    });
    return balancer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, "close");
    if (this.#child.kill("SIGKILL")) await ended;
  }
}

function configuration(port: number, nodes: readonly { readonly port: number }[]): string {
  const servers = nodes.map((node, index) => `  server node${index + 1} 127.0.0.1:${node.port} check\n`).join("");
  return `global
  maxconn 4000
defaults
  mode http
  timeout connect 1s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
  timeout check 1s
  option redispatch
  retries 2
  retry-on conn-failure
frontend hub
  bind 127.0.0.1:${port}
  default_backend nodes
backend nodes
  balance roundrobin
  option httpchk GET /health
  default-server inter 300ms fall 1 rise 1 on-marked-down shutdown-sessions
${servers}`;
}
