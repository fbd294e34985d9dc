import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import type { BusMessage } from "../../src/bridges/bus.ts";
import type { BusServer } from "../support/buses/bus-server.ts";
import { runCli } from "../support/cli.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";
import { HubProcess, type Kept } from "./hub-process.ts";

export interface BusUnderTest {
  /** Whether a test has the server, as `needs` says. */
  readonly needs: (test: TestContext) => boolean;
  readonly start: () => Promise<BusServer>;
  /** What the attributes of CloudEvents are called in headers. */
  readonly prefix: string;
  /** Whether what others sent while a bridge was away is kept for it. */
  readonly isDurable: boolean;
}

/** Milliseconds that a step may take on a busy machine. */
const LONG = 60_000;
const utf8 = new TextEncoder();

/** What every kind of bus must do, with a real server and hubs that are processes of their own. */
export function describeBridge(name: string, bus: BusUnderTest): void {
  const durable = !bus.isDurable && "the bus keeps nothing for a bridge that is away";
  describe(name, () => {
    let server: BusServer;
    let isMissing = false;
    let places = 0;
    before(async () => {
      isMissing = !bus.needs({ skip: () => {} } as unknown as TestContext);
      if (!isMissing) server = await bus.start();
    });
    after(async () => {
      if (!isMissing) await server[Symbol.asyncDispose]();
    });

    /** A new place on the bus. */
    const declared = async (): Promise<string> => {
      const place = `place${++places}`;
      await server.declare(place);
      return place;
    };
    const bridgeTo = (place: string, more: object = {}): object => ({
      name: place,
      kind: server.kind,
      connection: server.connection,
      in: [{ ...server.incoming(place), channel: place }],
      ...more,
    });
    const bridgeFrom = (channel: string, place: string): object => ({
      name: `${place}-out`,
      kind: server.kind,
      connection: server.connection,
      out: [{ ...server.outgoing(place), channels: [channel] }],
    });
    /** A message as a service sends it that speaks CloudEvents. */
    const event = (number: number, source = "test"): BusMessage => ({
      headers: Object.fromEntries(
        Object.entries({ specversion: "1.0", id: String(number), source, type: "order" }).map(([attribute, value]) => [
          bus.prefix + attribute,
          value,
        ]),
      ),
      contentType: "application/json",
      body: utf8.encode(JSON.stringify({ number })),
      key: "one",
    });
    const numbersOf = (messages: readonly Kept[]): readonly number[] =>
      messages.map(({ data }) => (data as { number: number }).number);
    const sequence = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

    it("brings a thousand messages into a channel, in order and once, with event and sender", async (t) => {
      if (!bus.needs(t)) return;
      const place = await declared();
      await using hub = await HubProcess.start([bridgeTo(place)]);
      await isRunning(hub, place);
      await server.send(
        place,
        sequence(1000).map((number) => event(number)),
      );
      let kept: readonly Kept[] = [];
      await until("all are there", async () => (kept = await hub.history(place)).length >= 1000, LONG);
      assert.deepEqual(numbersOf(kept), sequence(1000));
      const { event: type, sender, via } = kept[0] as Kept;
      assert.deepEqual({ type, sender, via }, { type: "order", sender: place, via: `bridge:${place}` });
      await until("all are acknowledged", async () => ((await server.waiting(place)) ?? 0) === 0);
    });

    it("sends a thousand messages of a channel, in order and once, as CloudEvents", async (t) => {
      if (!bus.needs(t)) return;
      const place = await declared();
      await using hub = await HubProcess.start([bridgeFrom("orders", place)]);
      await using receiver = await server.receive(place);
      await isRunning(hub, `${place}-out`);
      const ids: string[] = [];
      for (const number of sequence(1000)) ids.push(await hub.publish("orders", { number }, "?event=order&sender=me"));
      const own = (): readonly BusMessage[] =>
        receiver.messages.filter(({ headers }) => headers[`${bus.prefix}type`] === "order");
      await until("all are there", () => own().length >= 1000, LONG);
      const sent = own();
      assert.deepEqual(
        sent.map(({ headers }) => headers[`${bus.prefix}id`]),
        ids,
      );
      const { headers, contentType, body } = sent[7] as BusMessage;
      assert.equal(Buffer.from(body ?? []).toString(), '{"number":7}');
      assert.match(String(contentType), /^application\/json/);
      assert.equal(headers[`${bus.prefix}subject`], "orders");
      assert.equal(headers[`${bus.prefix}sender`], "me");
      assert.match(String(headers[`${bus.prefix}hubpath`]), /^[a-z\d]{10}$/);
    });

    it("carries any text, JSON, nothing and 64 KiB as they are, and bytes as base64", async (t) => {
      if (!bus.needs(t)) return;
      const [texts, bytes] = [await declared(), await declared()];
      const base64 = bridgeTo(bytes, { in: [{ ...server.incoming(bytes), channel: bytes, encoding: "base64" }] });
      await using hub = await HubProcess.start([bridgeTo(texts), base64]);
      await isRunning(hub, texts);
      await isRunning(hub, bytes);
      const unusual = '√ \u{1f600} \u2028 " \\ \n end';
      const big = "x".repeat(65_536);
      const plain = { headers: {}, contentType: "text/plain" };
      await server.send(texts, [
        { ...plain, body: utf8.encode(unusual) },
        { ...plain, body: utf8.encode(big) },
        { headers: {}, contentType: "application/json", body: utf8.encode('{"big":12345678901234567890123}') },
        { ...plain, body: new Uint8Array() },
        { ...plain, body: utf8.encode("last") },
      ]);
      const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
      await server.send(bytes, [{ headers: {}, body: every }]);
      let kept: readonly Kept[] = [];
      const isLast = async (): Promise<boolean> => (kept = await hub.history(texts)).at(-1)?.data === "last";
      await until("all are there", isLast, LONG);
      const data = kept.map((message) => message.data);
      assert.deepEqual(data, [unusual, big, { big: Number("12345678901234567890123") }, "", "last"]);
      await until("the bytes are there", async () => (await hub.history(bytes)).length > 0);
      const [message] = await hub.history(bytes);
      assert.deepEqual(Buffer.from(message?.data as string, "base64"), Buffer.from(every));
    });

    it("goes on after messages whose event and sender have unusual characters, or as many as they may", async (t) => {
      if (!bus.needs(t)) return;
      const place = await declared();
      await using hub = await HubProcess.start([bridgeFrom("orders", place)]);
      await using receiver = await server.receive(place);
      await isRunning(hub, `${place}-out`);
      const unusual = ["\u0080", "\u009f", "\ufdd0", "\ufffe", "\u{1ffff}", "\u200b", "\ufeff", '"\\%:;=', " a b "];
      for (const text of [...unusual, "\u4e00".repeat(64)]) {
        await hub.publish("orders", 1, `?event=${encodeURIComponent(`x${text}`.slice(0, 64))}`);
        await hub.publish("orders", 1, `?sender=${encodeURIComponent(text.repeat(128).slice(0, 128))}`);
      }
      await hub.publish("orders", 2, "?event=last");
      const isLast = ({ headers }: BusMessage): boolean => headers[`${bus.prefix}type`] === "last";
      await until("the last one is there", () => receiver.messages.some(isLast), LONG);
    });

    it(
      "loses and doubles nothing that comes in when the hub is killed again and again",
      { skip: durable },
      async (t) => {
        if (!bus.needs(t)) return;
        const place = await declared();
        await using hub = await HubProcess.start([bridgeTo(place)]);
        await isRunning(hub, place);
        const all = sequence(600).map((number) => event(number));
        for (let part = 0; part < 2; part++) {
          await server.send(place, all.slice(part * 300, part * 300 + 300));
          // Somewhere in the middle: each time at another place.
          await until("it has begun", async () => (await hub.history(place)).length > part * 300, LONG);
          await hub.kill();
          await hub.start();
        }
        let kept: readonly Kept[] = [];
        await until("all are there", async () => (kept = await hub.history(place)).length >= 600, LONG);
        assert.deepEqual(numbersOf(kept), sequence(600));
      },
    );

    it("loses nothing that goes out when the hub is killed again and again, and keeps the order", async (t) => {
      if (!bus.needs(t)) return;
      const place = await declared();
      await using hub = await HubProcess.start([bridgeFrom("orders", place)]);
      await using receiver = await server.receive(place);
      await isRunning(hub, `${place}-out`);
      const ids: string[] = [];
      for (let part = 0; part < 2; part++) {
        for (const number of sequence(100)) ids.push(await hub.publish("orders", { number }, "?event=order"));
        await hub.kill();
        await hub.start();
      }
      const first = (): readonly string[] => [
        ...new Set(
          receiver.messages
            .filter(({ headers }) => headers[`${bus.prefix}type`] === "order")
            .map(({ headers }) => headers[`${bus.prefix}id`] ?? ""),
        ),
      ];
      await until("all are there", () => first().length >= ids.length, LONG);
      assert.deepEqual(first(), ids);
    });

    it(
      "goes on when the bus was killed, with what it acknowledged and what the hub keeps",
      { skip: durable },
      async (t) => {
        if (!bus.needs(t)) return;
        const [into, from] = [await declared(), await declared()];
        await using hub = await HubProcess.start([bridgeTo(into), bridgeFrom("orders", from)]);
        await isRunning(hub, into);
        await server.send(
          into,
          sequence(200).map((number) => event(number)),
        );
        await until("some are there", async () => (await hub.history(into)).length > 20, LONG);
        await server.kill();
        const ids: string[] = [];
        for (const number of sequence(20)) ids.push(await hub.publish("orders", { number }, "?event=order"));
        await server.start();
        await using receiver = await server.receive(from);
        let kept: readonly Kept[] = [];
        await until("all came in", async () => (kept = await hub.history(into)).length >= 200, LONG);
        assert.deepEqual(numbersOf(kept), sequence(200));
        const gone = (): ReadonlySet<string | undefined> =>
          new Set(receiver.messages.map(({ headers }) => headers[`${bus.prefix}id`]));
        await until("all went out", () => ids.every((id) => gone().has(id)), LONG);
      },
    );

    it("goes on when the link was cut, and nothing is lost or doubled", { skip: durable }, async (t) => {
      if (!bus.needs(t)) return;
      const place = await declared();
      await using proxy = await TcpProxy.open(server.port);
      const bridge = { ...bridgeTo(place), connection: server.connectionAt(proxy.port) };
      await using hub = await HubProcess.start([bridge]);
      await isRunning(hub, place);
      for (let part = 0; part < 2; part++) {
        await server.send(
          place,
          sequence(100).map((number) => event(part * 100 + number)),
        );
        await until("it has begun", async () => (await hub.history(place)).length > part * 100, LONG);
        proxy.treat(() => ({ refuse: true }));
        await until("it is cut", () => proxy.clients.length === 0, LONG);
        proxy.treat(() => ({}));
      }
      let kept: readonly Kept[] = [];
      await until("all are there", async () => (kept = await hub.history(place)).length >= 200, LONG);
      assert.deepEqual(numbersOf(kept), sequence(200));
    });

    it("tells the bus that messages expired before they were sent, and goes on with what is kept", async (t) => {
      if (!bus.needs(t)) return;
      const place = await declared();
      await using proxy = await TcpProxy.open(server.port);
      const out = [{ ...server.outgoing(place), channels: ["orders.*"] }];
      const bridge = { name: place, kind: server.kind, connection: server.connectionAt(proxy.port), out };
      await using hub = await HubProcess.start([bridge], { RETENTION_MESSAGES: "10" });
      await using receiver = await server.receive(place);
      await isRunning(hub, place);
      proxy.treat(() => ({ refuse: true }));
      await until("it is cut", () => proxy.clients.length === 0, LONG);
      for (const number of sequence(30)) await hub.publish("orders.eu", { number }, "?event=order");
      const kept = await hub.history("orders.eu");
      assert.ok(kept.length < 30);
      proxy.treat(() => ({}));
      const types = (): readonly (string | undefined)[] =>
        receiver.messages.map(({ headers }) => headers[`${bus.prefix}type`]);
      await until(
        "the last one is there",
        () => types().filter((type) => type === "order").length >= kept.length,
        LONG,
      );
      assert.equal(types()[0], "hub.gap");
      const [marker] = receiver.messages;
      const { reason, resumed } = JSON.parse(Buffer.from(marker?.body ?? []).toString()) as Record<string, string>;
      assert.deepEqual([reason, typeof resumed], ["expired", "string"]);
      const sent = receiver.messages.slice(1).map(({ headers }) => headers[`${bus.prefix}id`]);
      assert.deepEqual(
        sent,
        kept.map(({ id }) => id),
      );
    });

    it("sends what was published before the bus was there for the first time", async (t) => {
      if (!bus.needs(t)) return;
      const place = await declared();
      await using proxy = await TcpProxy.open(server.port);
      proxy.treat(() => ({ refuse: true }));
      const bridge = { ...bridgeFrom("orders", place), connection: server.connectionAt(proxy.port) };
      await using hub = await HubProcess.start([bridge]);
      await using receiver = await server.receive(place);
      const ids = [await hub.publish("orders", "one"), await hub.publish("orders", "two")];
      // Nor is that forgotten when the server ends.
      await hub.kill();
      await hub.start();
      proxy.treat(() => ({}));
      await until("both are there", () => receiver.messages.length >= 2, LONG);
      assert.deepEqual(
        receiver.messages.map(({ headers }) => headers[`${bus.prefix}id`]),
        ids,
      );
    });

    it("is checked without an error while nothing waits on the bus", async (t) => {
      if (!bus.needs(t)) return;
      const [into, from] = [await declared(), await declared()];
      const bridge = { ...bridgeTo(into), out: [{ ...server.outgoing(from), channels: ["orders"] }] };
      const { code, stdout, stderr } = await runCli(["bridges", "check"], {
        env: { BRIDGES: JSON.stringify([bridge]) },
      });
      const lines = ["connected", "in[0]: no message to look at", "out[0]: sends orders"];
      assert.equal(stdout, lines.map((line) => `${into}: ${line}\n`).join(""), stderr);
      assert.equal(code, 0);
    });

    it("does with a message that no hub takes what its rule says, and goes on with the next", async (t) => {
      if (!bus.needs(t)) return;
      const [skipping, telling] = [await declared(), await declared()];
      const rule = (place: string, onError: string): object => ({
        in: [{ ...server.incoming(place), channel: place, encoding: "json", onError }],
      });
      await using hub = await HubProcess.start([
        bridgeTo(skipping, rule(skipping, "skip")),
        bridgeTo(telling, rule(telling, "channel:dead")),
      ]);
      for (const place of [skipping, telling]) {
        await isRunning(hub, place);
        const poison = { headers: {}, contentType: "text/plain", body: utf8.encode("no JSON") };
        await server.send(place, [event(1), poison, event(2)]);
        await until("both are there", async () => (await hub.history(place)).length >= 2, LONG);
        assert.deepEqual(numbersOf(await hub.history(place)), [1, 2]);
      }
      const [letter] = await hub.history("dead");
      assert.ok(letter !== undefined);
      assert.equal(letter.event, "dead-letter");
      const { error, text } = letter.data as { error: string; text: string };
      assert.deepEqual([error, text], ["its payload is not JSON", "no JSON"]);
      await until("they are off the bus", async () => ((await server.waiting(skipping)) ?? 0) === 0);
      assert.equal((await hub.history("dead")).length, 1);
    });

    it("passes a message once between two hubs that are connected both ways", async (t) => {
      if (!bus.needs(t)) return;
      const [there, back] = [await declared(), await declared()];
      const rules = (out: string, into: string): object => ({
        name: `loop-${out}`,
        kind: server.kind,
        connection: server.connection,
        in: [{ ...server.incoming(into), channel: "shared" }],
        out: [{ ...server.outgoing(out), channels: ["shared", "end"] }],
      });
      await using one = await HubProcess.start([
        rules(there, back),
        { ...rules(there, back), name: "again", in: [], out: [{ ...server.outgoing(there), channels: ["shared"] }] },
      ]);
      await using two = await HubProcess.start([
        rules(back, there),
        // Sends on what the other bridge brought, so that it comes back to where it was.
        { ...rules(back, there), name: "again", in: [], out: [{ ...server.outgoing(back), channels: ["shared"] }] },
      ]);
      await until(
        "a message gets there",
        async () => {
          await one.publish("shared", "probe");
          return (await two.history("shared")).length > 0;
        },
        LONG,
      );
      await one.publish("shared", "once", "?event=order");
      const onceAt = async (hub: HubProcess): Promise<number> =>
        (await hub.history("shared")).filter(({ data }) => data === "once").length;
      await until("it is there", async () => (await onceAt(two)) > 0, LONG);
      await two.publish("shared", "back", "?event=order");
      const isBack = async (): Promise<boolean> => (await one.history("shared")).some(({ data }) => data === "back");
      await until("the answer is here", isBack, LONG);
      assert.equal(await onceAt(one), 1, "it has not come back");
    });
  });
}

/** Waits until a bridge receives: until then, a bus may have nothing to keep messages for. */
async function isRunning(hub: HubProcess, place: string): Promise<void> {
  const line = `sse_mcp_bridge_up{bridge="${place}"} 1`;
  await until(
    `the bridge ${place} runs`,
    async () => (await (await fetch(`${hub.url}/metrics`)).text()).includes(line),
    LONG,
  );
}
