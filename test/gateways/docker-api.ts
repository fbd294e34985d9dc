import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";

/** A container as far as Traefik looks at it: what it is called, its labels and its address. */
export interface Container {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly address: string;
}

/** As much of the Docker Engine API as Traefik's provider asks, on a socket. It answers 404 to anything else. */
export class DockerApi implements AsyncDisposable {
  /** Paths that were asked for and are not there. */
  readonly unknown: string[] = [];
  readonly #server: Server;

  private constructor(containers: readonly Container[]) {
    this.#server = createServer((request, response) => {
      const path = new URL(request.url ?? "", "http://docker").pathname.replace(/^\/v\d+\.\d+/, "");
      const [, id] = /^\/containers\/([^/]+)\/json$/.exec(path) ?? [];
      const found = containers.find(({ name }) => name === id);
      if (path === "/_ping") json(response, "OK");
      else if (path === "/version") json(response, { Version: "28.0.0", ApiVersion: "1.48", MinAPIVersion: "1.24" });
      else if (path === "/containers/json") json(response, containers.map(listed));
      else if (path === "/events") response.writeHead(200).flushHeaders();
      else if (found !== undefined) json(response, inspected(found));
      else {
        this.unknown.push(path);
        response.writeHead(404).end("{}");
      }
    });
  }

  static async open(socket: string, containers: readonly Container[]): Promise<DockerApi> {
    const api = new DockerApi(containers);
    api.#server.listen(socket);
    await once(api.#server, "listening");
    return api;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

function networks({ address }: Container): object {
  return { Networks: { hub: { IPAddress: address, NetworkID: "hub" } }, Ports: {}, IPAddress: "" };
}

function listed(container: Container): object {
  const { name, labels } = container;
  return { Id: name, Names: [`/${name}`], Labels: labels, State: "running", NetworkSettings: networks(container) };
}

function inspected(container: Container): object {
  const { name, labels } = container;
  return {
    Id: name,
    Name: `/${name}`,
    State: { Status: "running", Running: true },
    Config: { Labels: labels, Hostname: name },
    HostConfig: { NetworkMode: "hub" },
    NetworkSettings: networks(container),
  };
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json", "api-version": "1.48" });
  response.end(JSON.stringify(value));
}
