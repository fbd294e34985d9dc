import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { isObject } from "../protocol/json.ts";
import { RegistryClient, type RegistryAnswer, type RegistryRequest } from "./registry-client.ts";
import type { Instance, Registry } from "./registry.ts";

/** Seconds: what Eureka expects of its clients, whose figures its self-preservation counts with. */
const LEASE = { renewalIntervalInSecs: 30, durationInSecs: 90 };
const DATA_CENTER = { "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", name: "MyOwn" };
/** So that there is time for the next server. */
const SHARE = 2000;

/**
 * The servers of a Eureka, by its REST API. They tell each other what they hear, so requests go to the one that
 * answered the last, and to the next if it does not.
 */
export class Eureka implements Registry {
  readonly name = "Eureka";
  readonly #clients: readonly RegistryClient[];
  readonly #instance: Instance;
  readonly #app: string;
  readonly #path: string;
  readonly #share: number;
  #isFirst = true;
  /** The place of the server that is asked first. */
  #preferred = 0;

  /** One of several servers may take `share` milliseconds. */
  constructor(addresses: readonly string[], instance: Instance, share: number = SHARE) {
    this.#share = addresses.length === 1 ? Infinity : share;
    this.#clients = addresses.map((address) => new RegistryClient(address));
    this.#instance = instance;
    this.#app = `/apps/${encodeURIComponent(instance.service.toUpperCase())}`;
    this.#path = `${this.#app}/${encodeURIComponent(instance.id)}`;
  }

  async register(signal: AbortSignal): Promise<void> {
    const body = { instance: await this.#description() };
    await this.#ask({ method: "POST", path: this.#app, body, allowed: [200, 204], signal });
    // The process before this one may have been killed while it was out of service.
    if (this.#isFirst) {
      await this.#ask({ method: "DELETE", path: `${this.#path}/status?value=UP`, allowed: [200, 404], signal });
    }
    const { json } = await this.#ask({ method: "GET", path: this.#path, allowed: [200], signal });
    const given = isObject(json) ? json["instance"] : undefined;
    if (!isObject(given) || given["instanceId"] !== this.#instance.id) {
      throw new Error("it does not answer as Eureka does");
    }
    this.#isFirst = false;
  }

  async renew(signal: AbortSignal): Promise<boolean> {
    const { status } = await this.#ask({ method: "PUT", path: this.#path, allowed: [200, 404], signal });
    return status === 200;
  }

  async takeOut(signal: AbortSignal): Promise<void> {
    await this.#ask({ method: "PUT", path: `${this.#path}/status?value=OUT_OF_SERVICE`, allowed: [200, 404], signal });
  }

  async deregister(signal: AbortSignal): Promise<void> {
    await this.#ask({ method: "DELETE", path: this.#path, allowed: [200, 404], signal });
  }

  async #ask(request: RegistryRequest): Promise<RegistryAnswer> {
    const faults = new Set<string>();
    for (const _ of this.#clients) {
      request.signal.throwIfAborted();
      const client = this.#clients[this.#preferred] as RegistryClient;
      try {
        return await client.ask({ ...request, signal: withTimeout(request.signal, this.#share) });
      } catch (error) {
        faults.add((error as Error).message);
        this.#preferred = (this.#preferred + 1) % this.#clients.length;
      }
    }
    throw new Error([...faults].join("; "));
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

/** For clients that want no names; the name itself if it has no address here. */
async function addressOf(host: string): Promise<string> {
  if (isIP(host) !== 0) return host;
  return lookup(host).then(
    ({ address }) => address,
    () => host,
  );
}
