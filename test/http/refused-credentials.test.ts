import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { RefusedUpgrade } from "../support/frame-reader.ts";
import { KeyRing } from "../support/keys.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const BAD = `hub_abcdefgh_${"A".repeat(43)}`;
const CLIENT = "203.0.113.77";
const PROXIED = { "x-forwarded-for": CLIENT };
const BEARER = { ...PROXIED, authorization: `Bearer ${BAD}` };
const MALFORMED = { ...PROXIED, authorization: "Bearer a b" };

/** Guesses of a credential, each of which resolves with the code it is refused with. */
const GUESSES: Readonly<Record<string, (server: TestServer) => Promise<string>>> = {
  "a route": (server) => asked(server, "GET", "/channels", BEARER),
  "GET /session": (server) => asked(server, "GET", "/session", BEARER),
  "POST /session": (server) => asked(server, "POST", "/session", BEARER),
  "POST /session, malformed": (server) => asked(server, "POST", "/session", MALFORMED),
  "a handshake of a WebSocket": async (server) => {
    const error: unknown = await server.frames("", { headers: BEARER }).catch((reason: unknown) => reason);
    assert.ok(error instanceof RefusedUpgrade, String(error));
    return (JSON.parse(error.text) as { code: string }).code;
  },
  "an auth frame": async (server) => {
    using frames = await server.frames("", { headers: PROXIED });
    frames.send({ type: "auth", token: BAD });
    return String((await frames.nextOf("error"))["code"]);
  },
};

async function asked(
  server: TestServer,
  method: string,
  path: string,
  headers: Record<string, string>,
): Promise<string> {
  return ((await server.request(path, { method, headers })).json() as { code: string }).code;
}

describe("a credential that is refused", { concurrency: true }, () => {
  for (const [door, guess] of Object.entries(GUESSES)) {
    it(`is reported with the address of the client behind the proxy, and counts for the limit: ${door}`, async () => {
      using keys = new KeyRing();
      const logStream = new PassThrough();
      let log = "";
      logStream.setEncoding("utf8").on("data", (text: string) => (log += text));
      await using server = await startServer({
        apiKeysFile: keys.path,
        rateLimits: "on",
        limitFailedCredentials: 2,
        trustedProxies: ["127.0.0.1"],
        logLevel: "info",
        logStream,
      });
      const codes = [await guess(server), await guess(server), await guess(server)];
      assert.deepEqual(codes, ["UNAUTHENTICATED", "UNAUTHENTICATED", "RATE_LIMITED"]);
      await until("it is reported", () => log.includes(`a credential from ${CLIENT} was refused`));
      assert.ok(!log.includes(BAD));
    });
  }
});
