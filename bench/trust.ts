import { SignJWT } from "jose";
import { callsPerSecond } from "./calls.ts";
import { quiet } from "./kernel.ts";
import { ServerProcess } from "./server-process.ts";
import { OURS, ourCommand, type ServerKind } from "./targets.ts";

const SECRET = "a secret that is shared with the load";
const HUB = "https://hub.example";
const SEND = { tool: "send_sse_message", input: { message: "hello" } };
const WARM_UP = 4;
const QUIET = 0.1;
const TIMEOUT = 5000;
/** More than any load makes, so that each call is counted and none refused. */
const PLENTY = "1000000";
const LIMITS = ["--limit-publishes", "--limit-tool-calls"];

/** Calls of `send_sse_message` answered per second, by round. */
export interface TrustRates {
  /** By a server without credentials and limits. */
  readonly open: number[];
  /** By one that takes a JWT with each call. */
  readonly jwt: number[];
  /** By one that counts each call against its limits. */
  readonly limited: number[];
}

/** What credentials and rate limits cost a call. */
export async function measureTrust(rounds: number, seconds: number): Promise<TrustRates> {
  const rates: TrustRates = { open: [], jwt: [], limited: [] };
  const withJwt = ours("jwt", ["--jwt-secret", SECRET, "--public-url", HUB, "--rate-limits", "off"]);
  const limitFlags = LIMITS.flatMap((flag) => [flag, PLENTY]);
  const withLimits = ours("limits", ["--rate-limits", "on", ...limitFlags]);
  await using open = await ServerProcess.start(OURS);
  await using jwt = await ServerProcess.start(withJwt);
  await using limited = await ServerProcess.start(withLimits);
  const token = await new SignJWT({ sub: "bench", hub: { publish: ["*"] } })
    .setProtectedHeader({ alg: "HS256" })
    .setAudience(HUB)
    .setExpirationTime("1h")
    .sign(new TextEncoder().encode(SECRET));
  const cases = [
    { rates: rates.open, port: open.port, call: SEND },
    { rates: rates.jwt, port: jwt.port, call: { ...SEND, token } },
    { rates: rates.limited, port: limited.port, call: SEND },
  ];
  for (const { port, call } of cases) await callsPerSecond(port, call, WARM_UP);
  for (let round = 0; round < rounds; round += 1) {
    await quiet(QUIET, TIMEOUT);
    for (const one of cases) one.rates.push(await callsPerSecond(one.port, one.call, seconds));
  }
  return rates;
}

function ours(name: string, flags: readonly string[]): ServerKind {
  return {
    ...OURS,
    name: `ours-${name}`,
    command: (directory, port) => [...ourCommand(directory, port), ...flags],
    ready: "/health",
  };
}
