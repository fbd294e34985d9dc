import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { leashed } from "./leash.ts";
import { freePort } from "./free-port.ts";
import { TemporaryFolder } from "./temporary-folder.ts";
import { until } from "./until.ts";

/** Lines of nginx that pass on what a hub needs to know of a request. */
export const NGINX_HEADERS = `proxy_http_version 1.1; proxy_set_header Host $http_host;
  proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection;
  proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;`;

/** A real nginx or HAProxy with a configuration of a test, on a free port. */
export class Proxy implements AsyncDisposable {
  readonly url: string;
  readonly #folder: TemporaryFolder;
  readonly #child: ChildProcess;
  #output = "";

  private constructor(port: number, folder: TemporaryFolder, words: readonly string[]) {
    this.url = `http://127.0.0.1:${port}`;
    this.#folder = folder;
    const [command, ...rest] = leashed(...(words as [string, ...string[]]));
    this.#child = spawn(command, rest, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => (this.#output += text));
    }
  }

  /** Whether a program is installed; both say their version with `-v`. */
  static has(program: "nginx" | "haproxy"): boolean {
    return spawnSync(program, ["-v"]).status === 0;
  }

  /** nginx with these lines in its `server` block, and others in its `http` block. */
  static async nginx(server: string, http = ""): Promise<Proxy> {
    const folder = new TemporaryFolder();
    const port = await freePort();
    const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map((name) => `${name}_temp_path ${folder.file(name)};`)
      .join(" ");
    writeFileSync(
      folder.file("nginx.conf"),
      `daemon off; master_process off; pid ${folder.file("pid")}; error_log stderr;
      events { worker_connections 256; }
      http { access_log off; ${paths} ${http} server { listen 127.0.0.1:${port}; ${server} } }`,
    );
    const words = ["nginx", "-e", "stderr", "-p", folder.path, "-c", folder.file("nginx.conf")];
    return new Proxy(port, folder, words).#listening(port);
  }

  /** HAProxy with these lines in its `defaults`, in front of a hub. */
  static async haproxy(hub: number, defaults: string): Promise<Proxy> {
    const folder = new TemporaryFolder();
    const port = await freePort();
    writeFileSync(
      folder.file("haproxy.cfg"),
      `defaults\n  mode http\n${defaults}\nfrontend web\n  bind 127.0.0.1:${port}\n  default_backend hub\nbackend hub\n  server hub 127.0.0.1:${hub}\n`,
    );
    return new Proxy(port, folder, ["haproxy", "-db", "-q", "-f", folder.file("haproxy.cfg")]).#listening(port);
  }

  async #listening(port: number): Promise<this> {
    await until("the proxy listens", async () => {
      if (this.#child.exitCode !== null) throw new Error(`the proxy ended: ${this.#output}`);
      const socket = connect(port, "127.0.0.1");
      const listens = await once(socket, "connect").then(
        () => true,
        () => false,
      );
      socket.destroy();
      return listens;
    });
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, "exit");
      this.#child.kill("SIGKILL");
      await ended;
    }
    this.#folder[Symbol.dispose]();
  }
}
