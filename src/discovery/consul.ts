import { isObject } from "../protocol/json.ts";
import { RegistryClient, StatusError, type RegistryAnswer, type RegistryRequest } from "./registry-client.ts";
import type { Instance, Registry } from "./registry.ts";

/** The health check takes up to three seconds to prove delivery. */
const CHECK = { Interval: "10s", Timeout: "5s" };
/** The agent forgets a server that failed its check for so long: the least that it takes. */
const REAP = "1m";

/** An agent of Consul, by its HTTP API. */
export class Consul implements Registry {
  readonly name = "Consul";
  readonly #client: RegistryClient;
  readonly #instance: Instance;
  readonly #id: string;
  #isFirst = true;

  /** `token` is empty if the agent needs none. */
  constructor(address: string, token: string, instance: Instance) {
    this.#client = new RegistryClient(address, token === "" ? {} : { "x-consul-token": token });
    this.#instance = instance;
    this.#id = encodeURIComponent(instance.id);
  }

  async register(signal: AbortSignal): Promise<void> {
    const { id, service, host, port, url, isSecure, tlsName, metadata } = this.#instance;
    const body = {
      ID: id,
      Name: service,
      Address: host,
      Port: port,
      Tags: ["mcp", "sse", "websocket"],
      Meta: isSecure ? { ...metadata, secure: "true" } : metadata,
      Check: {
        CheckID: `${id}-health`,
        Name: "Whether messages are delivered",
        HTTP: `${url}/health`,
        ...CHECK,
        ...(tlsName === "" ? {} : { TLSServerName: tlsName }),
        DeregisterCriticalServiceAfter: REAP,
      },
    };
    const path = "/v1/agent/service/register?replace-existing-checks=true";
    await this.#ask({ method: "PUT", path, body, allowed: [200], signal });
    // The process before this one may have been killed while it was in maintenance.
    if (this.#isFirst) await this.#maintain("enable=false", [200], signal);
    if (!(await this.renew(signal))) throw new Error("it does not know what it was just told");
    this.#isFirst = false;
  }

  /** The agent checks the server by itself, and only has to be asked whether it still does. */
  async renew(signal: AbortSignal): Promise<boolean> {
    const path = `/v1/agent/service/${this.#id}`;
    const { status, json } = await this.#ask({ method: "GET", path, allowed: [200, 404], signal });
    if (status === 404) return false;
    if (!isObject(json) || json["ID"] !== this.#instance.id) throw new Error("it does not answer as Consul does");
    return true;
  }

  async takeOut(signal: AbortSignal): Promise<void> {
    await this.#maintain("enable=true&reason=draining", [200, 404], signal);
  }

  async deregister(signal: AbortSignal): Promise<void> {
    const path = `/v1/agent/service/deregister/${this.#id}`;
    await this.#ask({ method: "PUT", path, allowed: [200, 404], signal });
  }

  async #maintain(query: string, allowed: readonly number[], signal: AbortSignal): Promise<void> {
    const path = `/v1/agent/service/maintenance/${this.#id}?${query}`;
    await this.#ask({ method: "PUT", path, allowed, signal });
  }

  async #ask(request: RegistryRequest): Promise<RegistryAnswer> {
    try {
      return await this.#client.ask(request);
    } catch (error) {
      if (!(error instanceof StatusError) || error.status !== 403) throw error;
      const { service } = this.#instance;
      throw new Error(`it answers 403; set CONSUL_TOKEN to a token with service:write on ${service}`, { cause: error });
    }
  }
}
