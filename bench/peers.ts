import { createHmac, randomBytes } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import type { ServerKind } from "./targets.ts";

const SECRET = randomBytes(32).toString("base64url");

/** Centrifugo with its memory engine and the history that it can recover from, as Nchan's buffer. */
export const CENTRIFUGO: ServerKind = {
  name: "centrifugo",
  missing: () => missing("centrifugo", "go install github.com/centrifugal/centrifugo/v6@latest"),
  command: (directory, port) => centrifugoCommand(directory, port),
  ready: "/health",
};

/** The command line of a Centrifugo with history; on an engine that nodes share, one that readers can recover from. */
export function centrifugoCommand(directory: string, port: number, engine?: object): readonly string[] {
  const file = join(directory, "config.json");
  writeFileSync(
    file,
    JSON.stringify({
      http_server: { address: "127.0.0.1", port },
      log: { level: "error" },
      usage_stats: { disabled: true },
      http_api: { insecure: true },
      uni_sse: { enabled: true },
      health: { enabled: true },
      client: { allow_anonymous_connect_without_token: true },
      channel: {
        without_namespace: {
          allow_subscribe_for_anonymous: true,
          allow_subscribe_for_client: true,
          history_size: 1000,
          history_ttl: "60s",
          ...(engine === undefined ? {} : { force_recovery: true }),
        },
      },
      ...(engine === undefined ? {} : { engine }),
    }),
  );
  return oneCore(binary("centrifugo"), "-c", file);
}

/** Mercure with its bolt transport, which keeps the last 1,000 messages in a file. */
export const MERCURE: ServerKind = {
  name: "mercure",
  missing: () =>
    missing(
      "mercure",
      "go build -tags deprecated_topic,deprecated_claim ./mercure in the folder caddy of github.com/dunglas/mercure",
    ),
  command(directory, port) {
    const file = join(directory, "Caddyfile");
    writeFileSync(
      file,
      `{
  admin off
  auto_https off
  persist_config off
  log {
    level ERROR
  }
}
http://127.0.0.1:${port} {
  mercure {
    transport bolt {
      path ${directory}/mercure.db
      size 1000
    }
    publisher_jwt ${SECRET}
    subscriber_jwt ${SECRET}
    anonymous
    protocol_version_compatibility 8
  }
  respond /health 200
}
`,
    );
    return ["env", `XDG_DATA_HOME=${directory}`, ...oneCore(binary("mercure"), "run", "--config", file)];
  },
  ready: "/health",
};

/** The header that lets a request publish to Mercure. */
export function mercureAuthorization(): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const token = `${part({ alg: "HS256", typ: "JWT" })}.${part({ mercure: { publish: ["*"] } })}`;
  return `Authorization: Bearer ${token}.${createHmac("sha256", SECRET).update(token).digest("base64url")}`;
}

/** Go starts a thread for each core otherwise, and here it has one. */
function oneCore(...command: readonly string[]): readonly string[] {
  return ["env", "GOMAXPROCS=1", ...command];
}

function missing(name: string, install: string): string | undefined {
  return existsSync(binary(name)) ? undefined : `there is no ${name} in PATH or ~/go/bin (${install})`;
}

function binary(name: string): string {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), join(homedir(), "go", "bin")];
  return folders.map((folder) => join(folder, name)).find((file) => existsSync(file)) ?? name;
}
