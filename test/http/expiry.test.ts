import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeJwt, SignJWT } from "jose";
import { EventReader } from "../support/event-reader.ts";
import { IS_SOAK } from "../support/soak.ts";
import { startServer } from "../support/server.ts";

const SECRET = "0123456789abcdef0123456789abcdef";
const HUB = "https://hub.example";
const READERS = IS_SOAK ? 1000 : 200;
/** Seconds that the first tokens last. */
const SHORT = 4;

function token(seconds: number): Promise<string> {
  return new SignJWT({ hub: { subscribe: ["*"], publish: ["*"] }, sub: "reader" })
    .setProtectedHeader({ alg: "HS256" })
    .setAudience(HUB)
    .setExpirationTime(`${seconds}s`)
    .sign(new TextEncoder().encode(SECRET));
}

describe("streams whose credential expires", () => {
  it("[AUTH-7] all end before it does, and resume with another one without a loss", async () => {
    await using server = await startServer({ jwtSecret: SECRET, publicUrl: HUB });
    const [short, long] = await Promise.all([token(SHORT), token(600)]);
    const expires = ((decodeJwt(short).exp ?? 0) + 1) * 1000;
    const url = `${server.url}/events?channel=numbers`;
    const authorized = (jwt: string): { readonly headers: { readonly authorization: string } } => ({
      headers: { authorization: `Bearer ${jwt}` },
    });
    let sent = 0;
    /** Messages published before the tokens expired. */
    let before: number | undefined;
    const publish = async (): Promise<void> => {
      const { headers } = authorized(long);
      const { status } = await server.request("/channels/numbers/messages", {
        method: "POST",
        headers,
        body: `${++sent}`,
      });
      assert.equal(status, 201);
    };
    const readers = await Promise.all(Array.from({ length: READERS }, () => EventReader.open(url, authorized(short))));
    const got = await Promise.all([
      (async () => {
        while (Date.now() < expires) {
          await publish();
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        before = sent + 1;
        await publish();
      })(),
      ...readers.map(async (reader) => {
        await reader.ended;
        const numbers = reader.waiting.filter(({ event }) => event === "message").map(({ data }) => Number(data));
        assert.ok(numbers.length < (before ?? Infinity), "it got what was published after its credential had expired");
        const next = await EventReader.open(url, { ...authorized(long), lastEventId: reader.ids.at(-1) ?? "" });
        assert.equal(next.status, 200);
        return { numbers, next };
      }),
    ]);
    for (const reader of got) {
      if (reader === undefined) continue;
      const { numbers, next } = reader;
      while (numbers.length < sent) {
        const { event, data } = await next.next();
        if (event === "message") numbers.push(Number(data));
      }
      assert.deepEqual(
        numbers,
        Array.from({ length: sent }, (_, at) => at + 1),
      );
      next.close();
    }
  });
});
