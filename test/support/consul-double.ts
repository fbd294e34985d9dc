import { fieldFaults, RegistryDouble, type DoubleAnswer, type DoubleRequest } from "./registry-double.ts";

/** What an agent keeps of a service. */
export interface ConsulService {
  readonly ID: string;
  readonly Name: string;
  readonly Address: string;
  readonly Port: number;
  readonly Tags: readonly string[];
  readonly Meta: Readonly<Record<string, string>>;
  readonly Check: Readonly<Record<string, string>>;
}

const SERVICE = {
  ID: "string",
  Name: "string",
  Address: "string",
  Port: "number",
  Tags: "array",
  Meta: "object",
  Check: "object",
};
const CHECK = {
  CheckID: "string",
  Name: "string",
  HTTP: "string",
  Interval: "string",
  Timeout: "string",
  TLSServerName: "string",
  DeregisterCriticalServiceAfter: "string",
};
const DURATION = /^\d+(?:ms|s|m|h)$/;

/**
 * An agent of Consul, made from its documented HTTP API: methods, paths, types and the token are checked, and what the
 * real one answers 400, 403, 404 or 405 to is answered so here.
 */
export class ConsulDouble extends RegistryDouble {
  /** What `X-Consul-Token` must be; empty for an agent without ACLs. */
  token = "";
  readonly services: Map<string, ConsulService> = new Map();
  /** The reasons for maintenance, by the id of the service. */
  readonly maintenance: Map<string, string> = new Map();

  forget(): void {
    this.services.clear();
    this.maintenance.clear();
  }

  protected answer({ method, path, query, headers, json }: DoubleRequest): DoubleAnswer {
    if (this.token !== "" && headers["x-consul-token"] !== this.token) {
      return { status: 403, text: "Permission denied: token with AccessorID 'anonymous' lacks permission" };
    }
    const [, action = "", id = ""] =
      /^\/v1\/agent\/service\/(register|deregister|maintenance)?\/?(.*)$/.exec(path) ?? [];
    if (!path.startsWith("/v1/agent/service/")) return { status: 404, text: "Invalid URL path" };
    if (method !== (action === "" ? "GET" : "PUT")) return { status: 405, text: `method ${method} not allowed` };
    if (action === "register") return this.#register(query, json);
    const service = this.services.get(decodeURIComponent(id));
    if (service === undefined) return { status: 404, text: `unknown service ID: ${id}` };
    if (action === "deregister") {
      this.services.delete(service.ID);
      this.maintenance.delete(service.ID);
      return { status: 200 };
    }
    if (action === "maintenance") return this.#maintain(service.ID, query);
    const { Check: _, Name, ...kept } = service;
    const weights = { Passing: 1, Warning: 1 };
    return { status: 200, json: { ...kept, Service: Name, Weights: weights, EnableTagOverride: false } };
  }

  #register(query: URLSearchParams, json: unknown): DoubleAnswer {
    const service = json as ConsulService;
    const faults = fieldFaults(service, SERVICE);
    if (faults.length === 0) {
      faults.push(...fieldFaults(service.Check, CHECK, ["TLSServerName"]));
      const { Interval = "", Timeout = "", DeregisterCriticalServiceAfter: reap = "", HTTP = "" } = service.Check;
      if (![Interval, Timeout, reap].every((text) => DURATION.test(text))) faults.push("a duration is not one");
      if (!URL.canParse(HTTP)) faults.push("Check.HTTP is not a URL");
      const isMeta = Object.entries(service.Meta).every(([key, value]) => /^[\w-]{1,128}$/.test(key) && isShort(value));
      if (!isMeta) faults.push("Meta has what the agent does not take");
      if (!Number.isInteger(service.Port)) faults.push("Port is not a whole number");
    }
    if (query.get("replace-existing-checks") !== "true") faults.push("old checks would stay");
    if (faults.length > 0) {
      this.complaint ??= faults.join("; ");
      return { status: 400, text: `Request decode failed: ${faults.join("; ")}` };
    }
    this.services.set(service.ID, service);
    return { status: 200 };
  }

  #maintain(id: string, query: URLSearchParams): DoubleAnswer {
    const enable = query.get("enable");
    if (enable !== "true" && enable !== "false") return { status: 400, text: "Invalid value for enable" };
    if (enable === "true") this.maintenance.set(id, query.get("reason") ?? "");
    else this.maintenance.delete(id);
    return { status: 200 };
  }
}

function isShort(value: unknown): boolean {
  return typeof value === "string" && value.length <= 512;
}
