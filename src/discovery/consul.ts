import { isObject } from "../protocol/json.ts";
import { StatusError } from "../protocol/http-answer.ts";
import { RegistryClient, type RegistryAnswer, type RegistryRequest } from "./registry-client.ts";
import type { Instance, Registry } from "./registry.ts";

/** The health check takes up to three seconds to prove delivery. */
const CHECK_TIMES = { Interval: "10s", Timeout: "5s" };
/** How long a server fails its check before the agent deregisters it: the shortest time that Consul accepts. */
const DEREGISTER_AFTER = "1m";

/** A Consul agent, through its HTTP API. */
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
    const { id, service, host, port, url, isSecure, tlsServerName, metadata } = this.#instance;
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
        ...CHECK_TIMES,
        ...(tlsServerName === "" ? {} : { TLSServerName: tlsServerName }),
        DeregisterCriticalServiceAfter: DEREGISTER_AFTER,
      },
    };
    const path = "/v1/agent/service/register?replace-existing-checks=true";
    await this.#request({ method: "PUT", path, body, expected: [200], signal });
    // The process before this one may have been killed while it was in maintenance.
    if (this.#isFirst) await this.#setMaintenance("enable=false", [200], signal);
    if (!(await this.renew(signal))) throw new Error("it does not have the service that it has just accepted");
    this.#isFirst = false;
  }

  /** The agent checks the server by itself, and only has to be asked whether it still does. */
  async renew(signal: AbortSignal): Promise<boolean> {
    const path = `/v1/agent/service/${this.#id}`;
    const { status, json } = await this.#request({ method: "GET", path, expected: [200, 404], signal });
    if (status === 404) return false;
    if (!isObject(json) || json["ID"] !== this.#instance.id) throw new Error("it does not answer as Consul does");
    return true;
  }

  async takeOutOfService(signal: AbortSignal): Promise<void> {
    await this.#setMaintenance("enable=true&reason=draining", [200, 404], signal);
  }

  async deregister(signal: AbortSignal): Promise<void> {
    const path = `/v1/agent/service/deregister/${this.#id}`;
    await this.#request({ method: "PUT", path, expected: [200, 404], signal });
  }

  async #setMaintenance(query: string, expected: readonly number[], signal: AbortSignal): Promise<void> {
    const path = `/v1/agent/service/maintenance/${this.#id}?${query}`;
    await this.#request({ method: "PUT", path, expected, signal });
  }

  async #request(request: RegistryRequest): Promise<RegistryAnswer> {
    try {
      return await this.#client.request(request);
    } catch (error) {
      if (!(error instanceof StatusError) || error.status !== 403) throw error;
      const { service } = this.#instance;
      throw new Error(`it answers 403; set CONSUL_TOKEN to a token with service:write on ${service}`, { cause: error });
    }
  }
}
