import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { promisify } from "node:util";
import type { Authority } from "../support/certificates.ts";
import { EventReader, type EventReaderOptions } from "../support/event-reader.ts";
import { FrameReader, type FrameReaderOptions } from "../support/frame-reader.ts";
import { leashed } from "../support/leash.ts";
import { freePort } from "../support/free-port.ts";
import { request, type Answer, type RequestOptions } from "../support/request.ts";
import { until } from "../support/until.ts";
import { shippedFor, type GatewayKind, type Place } from "./kinds.ts";

const MOST_OUTPUT = 20_000;

/** A real gateway with the shipped configuration, in front of nodes of a test. */
export class Gateway implements AsyncDisposable {
  readonly kind: GatewayKind;
  readonly place: Place;
  readonly url: string;
  /** The end of what it wrote. */
  output = "";
  #child: ChildProcess | undefined;

  private constructor(kind: GatewayKind, place: Place) {
    this.kind = kind;
    this.place = place;
    this.url = `https://localhost:${place.https}`;
  }

  /** Writes its files into a folder of its own below that of the authority. `adapt` changes them further. */
  static async prepare(
    kind: GatewayKind,
    nodes: readonly string[],
    authority: Authority,
    adapt: (text: string) => string = (text) => text,
  ): Promise<Gateway> {
    const [http, https] = [await freePort(), await freePort()];
    const place = { folder: authority.path(`gateway-${https}`), http, https, nodes };
    mkdirSync(place.folder);
    // For all that this process asks.
    if (!getCACertificates().includes(authority.pem)) setDefaultCACertificates([...getCACertificates(), authority.pem]);
    const { tlsCert, tlsKey } = certificateOf(authority);
    // HAProxy reads both from one file, and the others skip the key there.
    writeFileSync(join(place.folder, "hub.pem"), readFileSync(tlsCert, "utf8") + readFileSync(tlsKey, "utf8"));
    copyFileSync(tlsKey, join(place.folder, "hub.key"));
    const gateway = new Gateway(kind, place);
    for (const file of kind.files) writeFileSync(gateway.file(file), adapt(shippedFor(kind, file, place)));
    return gateway;
  }

  file(name: string = this.kind.files[0] ?? ""): string {
    return join(this.place.folder, basename(name));
  }

  /** What the gateway says of its file; empty if it takes it. */
  async check(): Promise<string> {
    const { binary = "", check } = this.kind;
    if (check === undefined) return "";
    const words = check(this.file(), this.place);
    const result = await promisify(execFile)(binary, words, { env: this.#env, timeout: 30_000 }).catch(
      (error: Error & { readonly stdout: string; readonly stderr: string }) => error,
    );
    return result instanceof Error ? `${result.message}\n${result.stdout}${result.stderr}` : "";
  }

  /** Starts it; resolves when it passes requests on to a node, or with `alone`, when it listens. */
  async start({ alone = false }: { readonly alone?: boolean } = {}): Promise<void> {
    const { binary = "", run } = this.kind;
    const [command, ...words] = leashed(binary, ...run(this.file(), this.place));
    const child = spawn(command, words, { env: this.#env, stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (this.output = (this.output + text).slice(-MOST_OUTPUT)));
    }
    await until(`${this.kind.name} answers`, async () => {
      if (child.exitCode !== null) throw new Error(`${this.kind.name} ended with ${child.exitCode}: ${this.output}`);
      return this.request("/health/live").then(
        ({ status }) => alone || status === 200,
        () => false,
      );
    });
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "close");
    child.kill("SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), 2000);
    await ended;
    clearTimeout(late);
  }

  request(path: string, options?: RequestOptions): Promise<Answer> {
    return request(`${this.url}${path}`, options);
  }

  /** Opens `/events` with this query. */
  events(query: string, options?: EventReaderOptions): Promise<EventReader> {
    return EventReader.open(`${this.url}/events${query}`, options);
  }

  /** Opens `/ws` with this query. */
  frames(query: string, options?: FrameReaderOptions): Promise<FrameReader> {
    return FrameReader.open(`${this.url.replace("http", "ws")}/ws${query}`, options);
  }

  /** Publishes; resolves with the status. */
  async publish(channel: string, text: string, headers: Record<string, string> = {}): Promise<number> {
    const options = { method: "POST", body: text, headers: { "content-type": "text/plain", ...headers } };
    return (await this.request(`/channels/${channel}/messages`, options)).status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Nothing of it outside its folder. */
  get #env(): Record<string, string> {
    const { folder } = this.place;
    return { PATH: process.env["PATH"] ?? "", HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  }
}

/** The certificate that all gateways of an authority show. */
function certificateOf(authority: Authority): { readonly tlsCert: string; readonly tlsKey: string } {
  const [tlsCert, tlsKey] = [authority.path("gateway.pem"), authority.path("gateway.key")];
  return existsSync(tlsCert) ? { tlsCert, tlsKey } : authority.server("gateway");
}
