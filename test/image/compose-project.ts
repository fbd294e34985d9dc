import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { request, type Answer, type RequestOptions } from "../support/request.ts";
import { EventReader, type EventReaderOptions } from "../support/event-reader.ts";
import { until } from "../support/until.ts";
import { docker } from "./docker.ts";

const ROOT = join(import.meta.dirname, "../..");

/** A compose file of the checkout, copied with what it mounts into a folder of its own, and started there. */
export class ComposeProject implements Disposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), "hub-compose-"));
  readonly #file: string;

  /** `files` are copied from the checkout; the first is the compose file. */
  constructor(...files: readonly [string, ...string[]]) {
    [this.#file] = files;
    for (const file of files) {
      mkdirSync(dirname(join(this.folder, file)), { recursive: true });
      cpSync(join(ROOT, file), join(this.folder, file), { recursive: true });
    }
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** `docker compose` with these words. */
  compose(...words: readonly string[]): string {
    const all = ["compose", "--file", this.#file, ...words];
    const { status, stdout, stderr } = spawnSync("docker", all, { cwd: this.folder, encoding: "utf8" });
    if (status !== 0) throw new Error(`docker ${all.join(" ")}: ${stderr}${stdout}`);
    return stdout.trimEnd();
  }

  /** Resolves when Docker says that these services are healthy. */
  async healthy(...services: readonly string[]): Promise<void> {
    await until(
      `${services.join(", ")} healthy`,
      async () => {
        const states = await Promise.all(
          services.map(async (service) => {
            const id = this.compose("ps", "--all", "--quiet", service);
            return id === "" ? "" : docker("inspect", "--format", "{{.State.Status}} {{.State.Health.Status}}", id);
          }),
        );
        return states.every((state) => state === "running healthy");
      },
      120_000,
    );
  }

  /** What nginx shows, for clients that trust it. */
  get certificate(): string {
    return readFileSync(this.path("ssl/hub.pem"), "utf8");
  }

  /** A request through nginx. */
  request(path: string, options: RequestOptions = {}): Promise<Answer> {
    return request(`https://localhost${path}`, { ...options, tls: { ca: this.certificate } });
  }

  /** Publishes a text through nginx and returns the status. */
  async publish(text: string, key: string): Promise<number> {
    const headers = { "content-type": "text/plain", authorization: `Bearer ${key}` };
    return (await this.request("/channels/default/messages", { method: "POST", headers, body: text })).status;
  }

  /** A reader through nginx. */
  events(key: string, options: EventReaderOptions = {}): Promise<EventReader> {
    const headers = { authorization: `Bearer ${key}`, ...options.headers };
    return EventReader.open("https://localhost/events", { ...options, headers, tls: { ca: this.certificate } });
  }

  [Symbol.dispose](): void {
    execFileSync("docker", ["compose", "--file", this.#file, "down", "--volumes", "--timeout", "20"], {
      cwd: this.folder,
      stdio: "ignore",
    });
    rmSync(this.folder, { recursive: true, force: true });
  }
}
