import { fieldFaults, RegistryDouble, type DoubleAnswer, type DoubleRequest } from "./registry-double.ts";

type Port = Readonly<Record<"$" | "@enabled", unknown>>;

/** What a hub at 127.0.0.1:8000 registers, without its metadata. */
export const EUREKA_INSTANCE = {
  instanceId: "hub-127.0.0.1-8000",
  app: "HUB",
  hostName: "127.0.0.1",
  ipAddr: "127.0.0.1",
  vipAddress: "hub",
  secureVipAddress: "hub",
  status: "UP",
  port: { $: 8000, "@enabled": "true" },
  securePort: { $: 443, "@enabled": "false" },
  homePageUrl: "http://127.0.0.1:8000/",
  statusPageUrl: "http://127.0.0.1:8000/health",
  healthCheckUrl: "http://127.0.0.1:8000/health",
  dataCenterInfo: { "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", name: "MyOwn" },
  leaseInfo: { renewalIntervalInSecs: 30, durationInSecs: 90 },
};

/** What a Eureka keeps of an instance. */
export interface EurekaInstance {
  readonly instanceId: string;
  readonly hostName: string;
  readonly app: string;
  readonly ipAddr: string;
  readonly port: Port;
  readonly securePort: Port;
  readonly metadata: Readonly<Record<string, string>>;
  readonly dataCenterInfo: object;
  readonly leaseInfo: object;
  readonly [other: string]: unknown;
}

const INSTANCE = {
  instanceId: "string",
  app: "string",
  hostName: "string",
  ipAddr: "string",
  vipAddress: "string",
  secureVipAddress: "string",
  status: "string",
  port: "object",
  securePort: "object",
  homePageUrl: "string",
  statusPageUrl: "string",
  healthCheckUrl: "string",
  secureHealthCheckUrl: "string",
  dataCenterInfo: "object",
  leaseInfo: "object",
  metadata: "object",
};
const EMPTY: DoubleAnswer = { status: 200 };

/**
 * A server of Eureka, made from what that of spring-cloud-netflix 4.3 answers, which `npm run eureka` compares: statuses,
 * an instance as it is given back, and an override that a registration does not lift.
 */
export class EurekaDouble extends RegistryDouble {
  /** What is kept, by the id. */
  readonly instances: Map<string, EurekaInstance> = new Map();
  /** By the id of the instance. */
  readonly overrides: Map<string, string> = new Map();
  /** What `Authorization` must be; empty for a server without. */
  authorization = "";

  forget(): void {
    this.instances.clear();
    this.overrides.clear();
  }

  /** The status that clients see. */
  statusOf(id: string): string | undefined {
    return this.overrides.get(id) ?? (this.instances.get(id)?.["status"] as string | undefined);
  }

  protected answer({ method, path, query, headers, json }: DoubleRequest): DoubleAnswer {
    if (this.authorization !== "" && headers.authorization !== this.authorization) return { status: 401 };
    if (headers.accept !== "application/json") this.complaint ??= `${method} ${path} would be answered in XML`;
    const [, app = "", id = "", part = ""] = /^\/eureka\/apps\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(path) ?? [];
    if (app === "") return notFound(path);
    if (id === "") return method === "POST" ? this.#register(app, json) : { status: 405 };
    const instance = this.instances.get(decodeURIComponent(id));
    if (instance === undefined || instance.app !== decodeURIComponent(app)) return notFound(path);
    switch (`${method} ${part}`.trim()) {
      case "GET":
        return { status: 200, json: { instance: this.#asGiven(instance) } };
      case "PUT":
        return EMPTY;
      case "DELETE":
        this.instances.delete(instance.instanceId);
        this.overrides.delete(instance.instanceId);
        return EMPTY;
      case "PUT status":
        this.overrides.set(instance.instanceId, query.get("value") ?? "");
        return EMPTY;
      case "DELETE status":
        this.overrides.delete(instance.instanceId);
        return EMPTY;
      default:
        return { status: 405 };
    }
  }

  #register(app: string, json: unknown): DoubleAnswer {
    const { instance } = (json ?? {}) as { instance?: EurekaInstance };
    const faults = fieldFaults(instance, INSTANCE, ["healthCheckUrl", "secureHealthCheckUrl"]);
    if (instance !== undefined && faults.length === 0) {
      for (const port of [instance.port, instance.securePort]) {
        faults.push(...fieldFaults(port, { $: "number", "@enabled": "string" }));
        if (!["true", "false"].includes(String(port["@enabled"]))) faults.push("@enabled is neither true nor false");
      }
      faults.push(...fieldFaults(instance.dataCenterInfo, { "@class": "string", name: "string" }));
      faults.push(...fieldFaults(instance.leaseInfo, { renewalIntervalInSecs: "number", durationInSecs: "number" }));
      if (!Object.values(instance.metadata).every((value) => typeof value === "string")) faults.push("metadata");
      if (instance.app !== decodeURIComponent(app)) faults.push("app differs from the path");
    }
    if (instance === undefined || faults.length > 0) {
      this.complaint ??= faults.join("; ");
      return { status: 400, json: { error: "cannot parse request body" } };
    }
    this.instances.set(instance.instanceId, instance);
    return { status: 204 };
  }

  #asGiven(instance: EurekaInstance): object {
    const { instanceId } = instance;
    const overriddenStatus = this.overrides.get(instanceId) ?? "UNKNOWN";
    return { ...instance, status: this.statusOf(instanceId), overriddenStatus, countryId: 1, actionType: "ADDED" };
  }
}

/** The error page of Spring Boot. */
function notFound(path: string): DoubleAnswer {
  return { status: 404, json: { timestamp: "2026-11-29T14:08:02.484+00:00", status: 404, error: "Not Found", path } };
}
