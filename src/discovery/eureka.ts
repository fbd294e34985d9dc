import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { isObject } from "../protocol/json.ts";
import { RegistryClient, type RegistryAnswer, type RegistryRequest } from "./registry-client.ts";
import type { Instance, Registry } from "./registry.ts";

/** Seconds: the defaults of Eureka clients, which the self-preservation of Eureka assumes. */
const LEASE = { renewalIntervalInSecs: 30, durationInSecs: 90 };
const DATA_CENTER = { "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", name: "MyOwn" };
/** Milliseconds for one of several servers, so that there is time for the next one. */
const SERVER_TIMEOUT = 2000;

/**
 * Eureka servers, through their REST API. They replicate to each other, so requests go to the one that answered last,
 * and to the next one if that fails.
 */
export class Eureka implements Registry {
  readonly name = "Eureka";
  readonly #clients: readonly RegistryClient[];
  readonly #instance: Instance;
  readonly #app: string;
  readonly #path: string;
  readonly #serverTimeout: number;
  #isFirst = true;
  /** The place of the server that is asked first. */
  #preferred = 0;

  /** `serverTimeout` counts only if there are several servers. */
  constructor(addresses: readonly string[], instance: Instance, serverTimeout: number = SERVER_TIMEOUT) {
    this.#serverTimeout = addresses.length === 1 ? Infinity : serverTimeout;
    this.#clients = addresses.map((address) => new RegistryClient(address));
    this.#instance = instance;
    this.#app = `/apps/${encodeURIComponent(instance.service.toUpperCase())}`;
    this.#path = `${this.#app}/${encodeURIComponent(instance.id)}`;
  }

  async register(signal: AbortSignal): Promise<void> {
    const body = { instance: await this.#description() };
    await this.#request({ method: "POST", path: this.#app, body, expected: [200, 204], signal });
    // The process before this one may have been killed while it was out of service.
    if (this.#isFirst) {
      await this.#request({ method: "DELETE", path: `${this.#path}/status?value=UP`, expected: [200, 404], signal });
    }
    const { json } = await this.#request({ method: "GET", path: this.#path, expected: [200], signal });
    const given = isObject(json) ? json["instance"] : undefined;
    if (!isObject(given) || given["instanceId"] !== this.#instance.id) {
      throw new Error("it does not answer as Eureka does");
    }
    this.#isFirst = false;
  }

  async renew(signal: AbortSignal): Promise<boolean> {
    const { status } = await this.#request({ method: "PUT", path: this.#path, expected: [200, 404], signal });
    return status === 200;
  }

  async takeOutOfService(signal: AbortSignal): Promise<void> {
    await this.#request({
      method: "PUT",
      path: `${this.#path}/status?value=OUT_OF_SERVICE`,
      expected: [200, 404],
      signal,
    });
  }

  async deregister(signal: AbortSignal): Promise<void> {
    await this.#request({ method: "DELETE", path: this.#path, expected: [200, 404], signal });
  }

  async #request(request: RegistryRequest): Promise<RegistryAnswer> {
    const reasons = new Set<string>();
    for (const _ of this.#clients) {
      request.signal.throwIfAborted();
      const client = this.#clients[this.#preferred] as RegistryClient;
      try {
        return await client.request({ ...request, signal: withTimeout(request.signal, this.#serverTimeout) });
      } catch (error) {
        reasons.add((error as Error).message);
        this.#preferred = (this.#preferred + 1) % this.#clients.length;
      }
    }
    throw new Error([...reasons].join("; "));
  }

  async #description(): Promise<object> {
    const { id, service, host, port, isSecure, url, metadata } = this.#instance;
    const enabled = (is: boolean): object => ({ $: is ? port : isSecure ? 80 : 443, "@enabled": String(is) });
    return {
      instanceId: id,
      app: service.toUpperCase(),
      hostName: host,
      ipAddr: await addressOf(host),
      vipAddress: service,
      secureVipAddress: service,
      status: "UP",
      port: enabled(!isSecure),
      securePort: enabled(isSecure),
      homePageUrl: `${url}/`,
      statusPageUrl: `${url}/health`,
      [isSecure ? "secureHealthCheckUrl" : "healthCheckUrl"]: `${url}/health`,
      dataCenterInfo: DATA_CENTER,
      leaseInfo: LEASE,
      metadata,
    };
  }
}

function withTimeout(signal: AbortSignal, milliseconds: number): AbortSignal {
  return milliseconds === Infinity ? signal : AbortSignal.any([signal, AbortSignal.timeout(milliseconds)]);
}

/** For clients that use addresses; the name itself if it cannot be resolved here. */
async function addressOf(host: string): Promise<string> {
  if (isIP(host) !== 0) return host;
  return lookup(host).then(
    ({ address }) => address,
    () => host,
  );
}
