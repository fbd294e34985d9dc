import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { describe, it, type TestContext } from "node:test";
import { settingNames, variable } from "../../src/config.ts";
import { version } from "../../src/server.ts";
import { needs } from "../support/needs.ts";

const ROOT = join(import.meta.dirname, "../..");
const CHART = join(ROOT, "deploy/helm/sse-mcp-server");
const PYTHON = join(ROOT, ".cache/kubernetes/bin/python");
const INSTALL =
  "python3 -m venv .cache/kubernetes && .cache/kubernetes/bin/pip install helm-python-sdk==0.2.2 kubernetes-validate==1.37.0";

/** The schemas of what is not Kubernetes' own, by kind. */
const CRDS = join(ROOT, ".cache/crds/node_modules/@kubernetes-models");
const CUSTOM: Readonly<Record<string, string>> = {
  HTTPRoute: join(CRDS, "gateway-api/gateway.networking.k8s.io/v1/HTTPRoute.js"),
  ServiceMonitor: join(CRDS, "prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor.js"),
};
const INSTALL_CRDS =
  "npm install --prefix .cache/crds @kubernetes-models/gateway-api@2.0.0 @kubernetes-models/prometheus-operator@6.0.0";

// oxlint-disable-next-line typescript/no-explicit-any -- manifests, whose shape the schemas of Kubernetes check
type Manifest = any;

interface Rendered {
  readonly objects: readonly Manifest[];
  readonly notes: string;
  /** What the schemas of Kubernetes say. */
  readonly faults: readonly string[];
  /** Kinds that are not Kubernetes' own. */
  readonly custom: readonly string[];
  readonly lint: readonly unknown[];
}

interface Report {
  /** The version of Helm. */
  readonly helm: string;
  readonly rendered: Readonly<Record<string, Rendered>>;
  /** What Helm says of values that must be refused; empty if it takes them. */
  readonly refused: Readonly<Record<string, string>>;
}

const SETS: Readonly<Record<string, string>> = Object.fromEntries(
  readdirSync(join(CHART, "ci")).map((file) => [
    file.replace(".yaml", ""),
    readFileSync(join(CHART, "ci", file), "utf8"),
  ]),
);
const auth = { existingSecret: "hub-keys" };
const redis = { mode: "redis", redis: { existingSecret: "hub-redis" } };
/** Values that cannot work, and what is said about them. */
const REFUSED: Readonly<Record<string, readonly [object, RegExp]>> = {
  "two pods on one file": [{ auth, replicas: 2 }, /replicas/],
  "autoscaling on one file": [{ auth, autoscaling: { enabled: true } }, /autoscaling/],
  "two pods without a log": [{ auth, replicas: 2, log: { mode: "memory" } }, /replicas/],
  "no credentials": [{}, /set auth\.existingSecret to a Secret/],
  "Redis without an address": [{ auth, log: { mode: "redis" } }, /set log\.redis\.existingSecret/],
  "a route without a gateway": [{ auth, httpRoute: { enabled: true } }, /set httpRoute\.parentRefs/],
  "an ingress without a host": [{ auth, ingress: { enabled: true } }, /set ingress\.host/],
  "a monitor without a key": [{ auth, serviceMonitor: { enabled: true } }, /set serviceMonitor\.existingSecret/],
  "a value that is misspelled": [{ auth, replica: 1 }, /replica/],
  "a setting that the chart sets": [{ auth, settings: { PORT: 9000 } }, /PORT/],
  "a text for a number": [{ auth, log: redis, drainWait: "ten" }, /drainWait/],
};

let report: Promise<Report> | undefined;

/** Helm is asked once for everything. */
async function chart(test: TestContext): Promise<Report | undefined> {
  if (!needs(test, "Helm", existsSync(PYTHON), INSTALL)) return undefined;
  return (report ??= run());
}

async function run(): Promise<Report> {
  const child = spawn(PYTHON, [join(import.meta.dirname, "chart.py")], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const refused = Object.fromEntries(Object.entries(REFUSED).map(([name, [values]]) => [name, values]));
  child.stdin.end(JSON.stringify({ chart: CHART, sets: SETS, refused }));
  const answer = await json(child.stdout);
  assert.deepEqual(await ended, [0, null]);
  return answer as Report;
}

describe("the Helm chart", () => {
  for (const name of Object.keys(SETS)) {
    it(`renders ${name}.yaml without a finding of the strict linter, and valid by the schemas of Kubernetes`, async (test) => {
      const { rendered } = (await chart(test)) ?? {};
      if (rendered === undefined) return;
      const { objects = [], faults, lint, custom, notes } = rendered[name] ?? {};
      assert.deepEqual([lint, faults], [[], []]);
      assert.ok(objects.length >= 2);
      assert.deepEqual(
        custom?.filter((kind) => CUSTOM[kind] === undefined),
        [],
      );
      assert.match(notes ?? "", /kubectl --namespace realtime rollout status deployment\/hub/);
    });
  }

  it("says in its notes at which hosts a route of the Gateway API has it", async (test) => {
    const rendered = (await chart(test))?.rendered;
    if (rendered !== undefined)
      assert.match(rendered["autoscaling"]?.notes ?? "", /at the host hub\.example, path \/,/);
  });

  for (const [name, [, sentence]] of Object.entries(REFUSED)) {
    it(`refuses ${name}, and says what to set`, async (test) => {
      const { refused } = (await chart(test)) ?? {};
      if (refused !== undefined) assert.match(refused[name] ?? "", sentence);
    });
  }

  it("gives one pod a volume that stays, and never two pods at a time", async (test) => {
    const objects = (await chart(test))?.rendered["sqlite"]?.objects;
    if (objects === undefined) return;
    assert.deepEqual(objects.map(({ kind }) => kind as string).sort(), [
      "Deployment",
      "PersistentVolumeClaim",
      "Service",
      "ServiceAccount",
    ]);
    const { spec } = of(objects, "Deployment");
    assert.deepEqual([spec.replicas, spec.strategy], [1, { type: "Recreate" }]);
    assert.equal(of(objects, "PersistentVolumeClaim").metadata.annotations["helm.sh/resource-policy"], "keep");
    assert.equal(env(spec)["DATA"], "file:/data/hub.db");
  });

  it("runs as a user of its own, on a file system that it cannot write, without rights or a token", async (test) => {
    const { rendered } = (await chart(test)) ?? {};
    for (const [name, { objects }] of Object.entries(rendered ?? {})) {
      const { spec } = of(objects, "Deployment").spec.template;
      const [container] = spec.containers;
      assert.deepEqual([spec.securityContext.runAsUser, spec.securityContext.runAsNonRoot], [65_532, true], name);
      assert.equal(spec.automountServiceAccountToken, false, name);
      assert.deepEqual(
        container.securityContext,
        { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } },
        name,
      );
    }
  });

  it("leaves a pod the time that it needs to end, and probes it by the routes that are answered", async (test) => {
    const { rendered } = (await chart(test)) ?? {};
    for (const [name, { objects }] of Object.entries(rendered ?? {})) {
      const { spec } = of(objects, "Deployment").spec.template;
      const [{ startupProbe, livenessProbe, readinessProbe, lifecycle }] = spec.containers;
      const { DRAIN, DRAIN_WAIT } = env(of(objects, "Deployment").spec);
      const sleep = Number(lifecycle?.preStop.sleep.seconds ?? 0);
      assert.ok(spec.terminationGracePeriodSeconds >= sleep + Number(DRAIN) + Number(DRAIN_WAIT) + 5, name);
      const paths = [startupProbe, livenessProbe, readinessProbe].map(({ httpGet }) => httpGet.path as string);
      assert.deepEqual(paths, ["/health/live", "/health/live", "/health/ready"], name);
    }
  });

  it("is probed over TLS if it has a certificate of its own", async (test) => {
    const { rendered } = (await chart(test)) ?? {};
    if (rendered === undefined) return;
    for (const [name, scheme] of [
      ["pinned", "https"],
      ["sqlite", "http"],
    ] as const) {
      const objects: readonly Manifest[] = rendered[name]?.objects ?? [];
      const [{ livenessProbe, readinessProbe }] = of(objects, "Deployment").spec.template.spec.containers;
      const probed = [livenessProbe, readinessProbe].map(({ httpGet }) => httpGet.scheme as string);
      assert.deepEqual(probed, [scheme.toUpperCase(), scheme.toUpperCase()]);
      assert.equal(of(objects, "Service").spec.ports[0].appProtocol, scheme);
    }
  });

  it("has the keys of the Secret, and without one not those that the image names", async (test) => {
    const { rendered } = (await chart(test)) ?? {};
    if (rendered === undefined) return;
    const files = ["sqlite", "pinned", "open", "connections"].map((name) => {
      const { spec } = of(rendered[name]?.objects ?? [], "Deployment");
      const isMounted = spec.template.spec.volumes.some((volume: Manifest) => volume.name === "keys");
      return [env(spec)["AUTH"], env(spec)["API_KEYS_FILE"], isMounted];
    });
    assert.deepEqual(files, [
      [undefined, "/keys/keys.json", true],
      [undefined, "/keys/team.json", true],
      ["none", "", false],
      ["none", "", false],
    ]);
  });

  it("sets only settings that exist", async (test) => {
    const { rendered } = (await chart(test)) ?? {};
    const known = new Set(settingNames.map(variable));
    for (const { objects } of Object.values(rendered ?? {})) {
      const names = Object.keys(env(of(objects, "Deployment").spec));
      assert.deepEqual(
        names.filter((name) => !known.has(name)),
        [],
      );
    }
  });

  it("spreads several pods, replaces them one more at a time, and lets few go at once", async (test) => {
    const objects = (await chart(test))?.rendered["redis"]?.objects;
    if (objects === undefined) return;
    const { spec } = of(objects, "Deployment");
    assert.deepEqual([spec.replicas, spec.strategy.rollingUpdate], [3, { maxSurge: 1, maxUnavailable: 0 }]);
    assert.deepEqual(env(spec)["DATA"], { secretKeyRef: { name: "hub-redis", key: "url" } });
    assert.deepEqual([env(spec)["LEGACY_SSE"], env(spec)["RETENTION_AGE"]], ["false", "86400"]);
    // Helm has all numbers as floating point.
    assert.deepEqual([env(spec)["MAX_CONNECTIONS"], env(spec)["RETENTION_BYTES"]], ["1000000", "10737418240"]);
    assert.equal(spec.template.spec.topologySpreadConstraints[0].topologyKey, "kubernetes.io/hostname");
    assert.equal(of(objects, "PodDisruptionBudget").spec.maxUnavailable, 1);
    assert.deepEqual(of(objects, "NetworkPolicy").spec.policyTypes, ["Ingress", "Egress"]);
    const selector = spec.selector.matchLabels;
    for (const kind of ["Service", "PodDisruptionBudget", "NetworkPolicy"]) {
      const own: Manifest = of(objects, kind).spec;
      assert.deepEqual(own.selector?.matchLabels ?? own.podSelector?.matchLabels ?? own.selector, selector, kind);
    }
  });

  it("scales by connections, removes pods slowly, and sets no time-out on streams", async (test) => {
    const objects = (await chart(test))?.rendered["autoscaling"]?.objects;
    if (objects === undefined) return;
    const { metrics, behavior, scaleTargetRef } = of(objects, "HorizontalPodAutoscaler").spec;
    const deployment = of(objects, "Deployment");
    assert.equal(scaleTargetRef.name, deployment.metadata.name);
    assert.equal(deployment.spec.replicas, undefined);
    assert.deepEqual(metrics[0].pods, {
      metric: { name: "sse_mcp_connections" },
      target: { type: "AverageValue", averageValue: "14000" },
    });
    assert.equal(metrics[1].resource.target.averageUtilization, 70);
    assert.equal(behavior.scaleDown.stabilizationWindowSeconds, 600);
    // Their schemas let unknown fields pass.
    const [rule] = of(objects, "HTTPRoute").spec.rules;
    assert.deepEqual(rule.timeouts, { request: "0s", backendRequest: "0s" });
    assert.deepEqual(rule.backendRefs, [{ name: of(objects, "Service").metadata.name, port: 80 }]);
    assert.deepEqual(of(objects, "ServiceMonitor").spec.endpoints, [
      {
        port: "http",
        path: "/metrics",
        interval: "15s",
        authorization: { type: "Bearer", credentials: { name: "hub-metrics", key: "token" } },
      },
    ]);
  });

  it("has routes and monitors that are valid by the schemas of the Gateway API and the Prometheus operator", async (test) => {
    const { rendered } = (await chart(test)) ?? {};
    if (rendered === undefined || !needs(test, "the schemas", existsSync(CRDS), INSTALL_CRDS)) return;
    const objects = Object.values(rendered).flatMap((one) => one.objects);
    for (const [kind, file] of Object.entries(CUSTOM)) {
      const models = (await import(file)) as Record<string, new (data: Manifest) => { validate(): void }>;
      const Model = models[kind];
      assert.ok(Model !== undefined);
      const found = objects.filter((object) => object.kind === kind);
      assert.ok(found.length > 0);
      for (const object of found) new Model(object).validate();
      assert.throws(() => new Model({ ...found[0], spec: "none" }).validate(), /spec/);
    }
  });

  it("has the version of the package, and has its values in docs/kubernetes.md", () => {
    const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");
    assert.match(read("deploy/helm/sse-mcp-server/Chart.yaml"), new RegExp(`^appVersion: "?${version}"?$`, "m"));
    const { properties } = JSON.parse(read("deploy/helm/sse-mcp-server/values.schema.json")) as { properties: object };
    const page = read("docs/kubernetes.md");
    for (const name of Object.keys(properties).filter((one) => one !== "global")) {
      assert.match(page, new RegExp(`^\\| .*\`${name}[.\`]`, "m"), name);
    }
  });
});

function of(objects: readonly Manifest[], kind: string): Manifest {
  const found = objects.filter((object) => object.kind === kind);
  assert.equal(found.length, 1, kind);
  return found[0];
}

/** The environment of the container: values, or where they come from. */
function env(spec: Manifest): Record<string, unknown> {
  const [container] = spec.template.spec.containers as Manifest[];
  return Object.fromEntries(container.env.map(({ name, value, valueFrom }: Manifest) => [name, value ?? valueFrom]));
}
