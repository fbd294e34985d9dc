import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { describe, it } from "node:test";
import { BrowserSessions, type BrowserSessionOptions } from "../../src/auth/browser-sessions.ts";
import type { Principal } from "../../src/core/principal.ts";
import type { ChannelPattern } from "../../src/protocol/channel.ts";

const HOUR = 3_600_000;
const ANN: Principal = {
  subject: "ann",
  kind: "key",
  id: "key-abcdefgh",
  publish: ["orders.*" as ChannelPattern],
  subscribe: ["*" as ChannelPattern],
  admin: false,
  sendAs: false,
};

function sessionsOf(options: Partial<BrowserSessionOptions> = {}): BrowserSessions {
  return new BrowserSessions({ secrets: [], maxAge: HOUR, ...options });
}

/** A request as a browser on `http://127.0.0.1:8000` sends it back with a cookie that it was given. */
function sent(cookie: string, headers: Record<string, string> = {}, method = "GET"): IncomingMessage {
  const [pair = ""] = cookie.split(";");
  return { method, headers: { host: "127.0.0.1:8000", cookie: `theme=dark; ${pair}`, ...headers } } as IncomingMessage;
}

const REFUSED = { code: "UNAUTHENTICATED" };
const FOREIGN = { code: "ORIGIN_NOT_ALLOWED" };

describe("the sessions of browsers", () => {
  it("[BRW-1] a cookie comes back as the principal it was made from, and says nothing to who reads it", () => {
    const sessions = sessionsOf({ now: () => 1000 });
    const { principal, cookie } = sessions.begin(ANN);
    assert.match(cookie, /^__Host-hub=[\w-]+; Path=\/; Max-Age=3600; HttpOnly; Secure; SameSite=Strict$/);
    assert.doesNotMatch(
      Buffer.from(cookie.slice(11).split(";")[0] ?? "", "base64url").toString("latin1"),
      /ann|orders/,
    );
    assert.deepEqual(sessions.verify(sent(cookie)), { ...ANN, kind: "session", expires: 1000 + HOUR });
    assert.deepEqual(principal, sessions.verify(sent(cookie)));
    assert.equal(sessions.verify({ method: "GET", headers: {} } as IncomingMessage), undefined);
  });

  it("[BRW-1] a session ends with its credential, at the latest after its age, and when its key is gone", () => {
    let now = 0;
    let isGone = false;
    const sessions = sessionsOf({ now: () => now, isGone: ({ id }) => isGone && id === ANN.id });
    const short = sessions.begin({ ...ANN, expires: 5000 });
    assert.match(short.cookie, /Max-Age=5;/);
    const long = sessions.begin({ ...ANN, expires: 5 * HOUR });
    now = 5000;
    assert.throws(() => sessions.verify(sent(short.cookie)), REFUSED);
    assert.equal(sessions.verify(sent(long.cookie))?.expires, HOUR);
    isGone = true;
    assert.throws(() => sessions.verify(sent(long.cookie)), REFUSED);
    isGone = false;
    now = HOUR;
    assert.throws(() => sessions.verify(sent(long.cookie)), REFUSED);
  });

  it("a cookie that was changed, cut, made up or sealed for another server is refused", () => {
    const sessions = sessionsOf();
    const { cookie } = sessions.begin(ANN);
    const value = cookie.slice("__Host-hub=".length).split(";")[0] ?? "";
    const flipped = `${value.slice(0, 30)}${value[30] === "A" ? "B" : "A"}${value.slice(31)}`;
    for (const wrong of [flipped, value.slice(0, -4), `${value}AAAA`, "", "x", "AAAA".repeat(2000), "%00"]) {
      assert.throws(() => sessions.verify(sent(`__Host-hub=${wrong}`)), REFUSED, wrong.slice(0, 20));
    }
    assert.throws(() => sessionsOf().verify(sent(cookie)), REFUSED);
  });

  it("two cookies of its name are refused, as one could be another's, and only spaces and tabs are no part of a name", () => {
    const sessions = sessionsOf();
    const [pair = ""] = sessions.begin(ANN).cookie.split(";");
    for (const two of [`${pair}; ${pair}`, `__Host-hub=x; ${pair}`, `${pair};__Host-hub=`]) {
      const request = { method: "GET", headers: { cookie: two } } as IncomingMessage;
      assert.throws(() => sessions.verify(request), REFUSED, two);
      assert.ok(sessions.has(request));
    }
    const named = (before: string): Principal | undefined =>
      sessions.verify({ method: "GET", headers: { cookie: `a=1;${before}${pair}` } } as IncomingMessage);
    assert.equal(named(" \t")?.subject, "ann");
    for (const before of ["\u00a0", "\u2000", "\v", "\ufeff"]) assert.equal(named(before), undefined);
  });

  it("secrets can be changed: what the old one sealed counts as long as it is listed", () => {
    const [first, second] = ["a".repeat(32), "b".repeat(32)];
    const { cookie } = sessionsOf({ secrets: [first] }).begin(ANN);
    assert.equal(sessionsOf({ secrets: [second, first] }).verify(sent(cookie))?.subject, "ann");
    assert.throws(() => sessionsOf({ secrets: [second] }).verify(sent(cookie)), REFUSED);
  });

  it("the key beside the log outlives a restart, but does not take the place of a secret", () => {
    const key = new Uint8Array(32).fill(7);
    const [before, after, configured] = [sessionsOf(), sessionsOf(), sessionsOf({ secrets: ["s".repeat(32)] })];
    for (const sessions of [before, after, configured]) sessions.keepKey(key);
    const { cookie } = before.begin(ANN);
    assert.equal(after.verify(sent(cookie))?.subject, "ann");
    assert.throws(() => configured.verify(sent(cookie)), REFUSED);
  });

  it("what changes something, and every upgrade, must come from a page of the server's own", () => {
    const sessions = sessionsOf({ publicUrl: "https://hub.example" });
    const { cookie } = sessions.begin(ANN);
    const upgrade = { upgrade: "websocket", connection: "Upgrade" };
    const own = { origin: "http://127.0.0.1:8000" };
    const isTaken = [
      ["POST", own],
      ["POST", { "sec-fetch-site": "same-origin" }],
      ["DELETE", { origin: "https://hub.example" }],
      ["GET", { ...upgrade, ...own }],
      ["GET", {}],
      ["GET", { origin: "http://127.0.0.1:3000" }],
    ] as const;
    for (const [method, headers] of isTaken) assert.ok(sessions.verify(sent(cookie, headers, method)));
    const isForeign = [
      ["POST", {}],
      ["POST", { origin: "null" }],
      ["POST", { origin: "http://127.0.0.1:3000" }],
      ["POST", { origin: "http://localhost:8000" }],
      ["DELETE", { ...own, "sec-fetch-site": "same-site" }],
      ["POST", { ...own, "sec-fetch-site": "cross-site" }],
      ["GET", upgrade],
      ["GET", { ...upgrade, origin: "http://127.0.0.1:3000" }],
    ] as const;
    for (const [method, headers] of isForeign) {
      assert.throws(() => sessions.verify(sent(cookie, headers, method)), FOREIGN, JSON.stringify(headers));
    }
  });

  it("grants that a cookie cannot hold are refused with a sentence", () => {
    const patterns = Array.from({ length: 100 }, (_, index) => `${"x".repeat(100)}${index}` as ChannelPattern);
    const refused = { code: "INVALID_REQUEST", message: /too long for a cookie/ };
    assert.throws(() => sessionsOf().begin({ ...ANN, subscribe: patterns }), refused);
  });
});
