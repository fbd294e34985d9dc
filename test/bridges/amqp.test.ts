import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import type { Batch, Bus, Outcome, Outgoing, Source } from "../../src/bridges/bus.ts";
import { amqp } from "../../src/bridges/kinds/amqp.ts";
import type { AmqpIn, AmqpOut } from "../../src/bridges/kinds/amqp/rules.ts";
import { hasRabbit, needsRabbit, Rabbit } from "../support/buses/rabbitmq.ts";
import { until } from "../support/until.ts";
import { describeBridge } from "./bridge.suite.ts";

/** One for all tests, each of which has queues of its own: it takes seconds to start. */
let rabbit: Rabbit;

before(async () => {
  if (hasRabbit) rabbit = await Rabbit.start();
});
after(() => rabbit?.[Symbol.asyncDispose]());

describe("RabbitMQ", () => {
  test("acknowledges what was kept, and gives the rest again", async () => {
    await rabbit.declare("done");
    await rabbit.send("done", texts(10));
    const first = await connect();
    await settle(await first.source(incoming({ queue: "done", prefetch: 4 })), Array<Outcome>(4).fill("done"));
    await first.close();
    await using second = await connect();
    assert.deepEqual(await bodies(await second.source(incoming({ queue: "done" })), 6), ["4", "5", "6", "7", "8", "9"]);
  });

  test("holds no more messages than its prefetch", async () => {
    await rabbit.declare("prefetch");
    await rabbit.send("prefetch", texts(20));
    await using bus = await connect();
    const source = await bus.source(incoming({ queue: "prefetch", prefetch: 5 }));
    const batches = source.batches()[Symbol.asyncIterator]();
    let held = 0;
    while (held < 5) held += ((await batches.next()).value as Batch).messages.length;
    assert.equal(held, 5);
    assert.equal(await source.lag?.(), 15);
  });

  test("gives rejected messages to the broker's dead-letter exchange, without those around them", async () => {
    await rabbit.declare("dead");
    const channel = await rabbit.channel();
    await channel.assertQueue("poisoned", { deadLetterExchange: "dead" });
    for (const text of ["a", "b", "c", "d"]) channel.sendToQueue("poisoned", Buffer.from(text));
    await channel.waitForConfirms();
    await using bus = await connect();
    const source = await bus.source(incoming({ queue: "poisoned" }));
    await settle(source, ["done", "rejected", "done", "rejected"]);
    await until("both are dead", async () => (await channel.checkQueue("dead")).messageCount === 2);
    assert.deepEqual(await bodies(await bus.source(incoming({ queue: "dead" })), 2), ["b", "d"]);
    assert.equal((await channel.checkQueue("poisoned")).messageCount, 0);
  });

  test("creates nothing unless it is told to, and says what is missing", async () => {
    await using bus = await connect();
    const rule = { queue: "made", bind: [{ exchange: "making", key: "a.#" }] };
    await assert.rejects(bus.source(incoming(rule)), {
      message: "there is no queue made; create it, or set declare: true",
    });
    await assert.rejects(bus.sample(incoming(rule)), /no queue made/);
    await assert.rejects(bus.target(outgoing({ exchange: "making" })), {
      message: "there is no exchange making; create it, or set declare: true",
    });
    const declared = incoming({ ...rule, declare: true });
    assert.equal(await bus.sample(declared), undefined);
    await assert.rejects(bus.source(incoming(rule)), /no queue made/);
    const source = await bus.source(declared);
    const target = await bus.target(outgoing({ exchange: "making" }));
    assert.deepEqual(await target.send([message("1", { channel: "a.b" })]), [undefined]);
    const [batch] = await receive(source, 1);
    assert.deepEqual(batch?.messages[0]?.names, {
      queue: "made",
      exchange: "making",
      routingKey: "a.b",
      type: "message",
    });
  });

  test("lets several nodes wait on a queue that it created, of which one receives", async () => {
    const rule = incoming({ queue: "competed", declare: true, competing: true });
    assert.equal(amqp.isExclusive(rule), false);
    assert.equal(amqp.isExclusive(incoming({ queue: "competed" })), true);
    const first = await connect();
    await using second = await connect();
    const active = await first.source(rule);
    const idle = await second.source(rule);
    const channel = await rabbit.channel();
    for (const { body } of texts(20)) channel.sendToQueue("competed", body);
    await channel.waitForConfirms();
    await settle(active, Array<Outcome>(20).fill("done"));
    channel.sendToQueue("competed", Buffer.from("later"));
    await until("the active one has it", async () => (await active.lag?.()) === 1);
    await first.close();
    assert.deepEqual(await bodies(idle, 1), ["later"]);
  });

  test("is lost when its queue is deleted", async () => {
    const channel = await rabbit.channel();
    await channel.assertQueue("deleted");
    await using bus = await connect();
    const source = await bus.source(incoming({ queue: "deleted" }));
    const problem = { message: "the broker ended the consumer: queue deleted was deleted or moved" };
    const ends = assert.rejects(source.batches()[Symbol.asyncIterator]().next(), problem);
    await channel.deleteQueue("deleted");
    await ends;
    await assert.rejects(bus.lost, problem);
  });

  test("is lost when its exchange is deleted, and says so when it connects again", async () => {
    const channel = await rabbit.channel();
    await channel.assertExchange("gone", "topic");
    const rule = outgoing({ exchange: "gone", mandatory: false });
    await using bus = await connect();
    const target = await bus.target(rule);
    await channel.deleteExchange("gone");
    await assert.rejects(target.send([message("1")]), /did not take a message/);
    await assert.rejects(bus.lost, { message: "NOT_FOUND - no exchange 'gone' in vhost '/'" });
    await using again = await connect();
    await assert.rejects(again.target(rule), /there is no exchange gone/);
  });

  test("sends a thousand messages in order, each confirmed", async () => {
    await rabbit.declare("thousand");
    await using receiver = await rabbit.receive("thousand");
    await using bus = await connect();
    const target = await bus.target(outgoing({ exchange: "thousand" }));
    const results = await target.send(Array.from({ length: 1000 }, (_, index) => message(String(index))));
    assert.ok(results.length === 1000 && results.every((result) => result === undefined));
    await until("all have come", () => receiver.messages.length === 1000);
    assert.deepEqual(receiver.messages.map(textOf), [...Array(1000).keys()].map(String));
  });

  test("says of a message that no queue took it", async () => {
    await (await rabbit.channel()).assertExchange("unbound", "topic");
    await using bus = await connect();
    const strict = await bus.target(outgoing({ exchange: "unbound" }));
    const [error] = await strict.send([message("1", { channel: "a.b" })]);
    assert.equal(
      error?.message,
      "no queue is bound to exchange unbound for routing key a.b; bind one, or set mandatory: false",
    );
    const queue = await bus.target(outgoing({}));
    assert.match((await queue.send([message("1", { channel: "missing" })]))[0]?.message ?? "", /no queue missing/);
    const lenient = await bus.target(outgoing({ exchange: "unbound", mandatory: false }));
    assert.deepEqual(await lenient.send([message("1")]), [undefined]);
  });

  test("refuses what AMQP or the broker cannot carry, and sends the rest", async () => {
    await rabbit.declare("bounds");
    await using receiver = await rabbit.receive("bounds");
    await using bus = await connect();
    const target = await bus.target(outgoing({ exchange: "bounds" }));
    const results = await target.send([
      message("first"),
      { ...message("headers"), headers: { a: "x".repeat(70_000) } },
      message("key", { channel: "k".repeat(300) }),
      message("x".repeat(250_000)),
      message("last"),
    ]);
    const problems = results.map((result) => result?.message);
    assert.deepEqual([problems[0], problems[4]], [undefined, undefined]);
    assert.match(problems[1] ?? "", /^its headers cannot be sent: .*65536 byte/);
    assert.match(problems[2] ?? "", /^its routing key is longer than 255 bytes: kkk/);
    assert.match(problems[3] ?? "", /^PRECONDITION_FAILED - message size 250000 is larger than .* 200000$/);
    await until("the rest has come", () => receiver.messages.some((received) => textOf(received) === "last"));
    assert.deepEqual([...new Set(receiver.messages.map(textOf))], ["first", "last"]);
  });

  test("lets an event have dots in a routing key, and a sender only if it names a queue", async () => {
    await rabbit.declare("words");
    await using bus = await connect();
    const target = await bus.target(outgoing({ exchange: "words", routingKey: "a.${sender}.${event}" }));
    const from = (sender: string): Outgoing => {
      return { ...message(sender), names: { channel: "a", event: "order.created", sender } };
    };
    const results = await target.send([from("ana"), from("bo.b.c")]);
    assert.deepEqual(
      results.map((result) => result?.message),
      [undefined, 'its sender has ".", and may only be one level of a.${sender}.${event}: bo.b.c'],
    );
    await (await rabbit.channel()).assertQueue("of.words");
    const queues = await bus.target(outgoing({ routingKey: "${sender}" }));
    assert.deepEqual(await queues.send([from("of.words")]), [undefined]);
  });

  test("waits while the broker takes no messages, goes on receiving, and reports both", async () => {
    await rabbit.declare("blocked");
    const reports: string[] = [];
    const stopped = Promise.withResolvers<void>();
    await using bus = await connect({
      report: (sentence) => {
        reports.push(sentence);
        stopped.resolve();
      },
    });
    // More than a fast machine sends until the alarm is there: nothing is acknowledged before the end.
    const source = await bus.source(incoming({ queue: "blocked", prefetch: 10_000 }));
    const target = await bus.target(outgoing({ exchange: "blocked" }));
    const alarm = "{resource_limit, memory, node()}";
    const recovered = rabbit.ctl(
      "eval",
      `rabbit_alarm:set_alarm({${alarm}, []}), timer:sleep(500), rabbit_alarm:clear_alarm(${alarm}).`,
    );
    // The broker stops a connection once it sends something.
    const sent: Promise<readonly (Error | undefined)[]>[] = [];
    while (reports.length === 0) {
      sent.push(target.send([message(String(sent.length))]));
      await Promise.race([sent.at(-1), stopped.promise]);
    }
    sent.push(target.send([message(String(sent.length))]));
    await recovered;
    assert.ok((await Promise.all(sent)).every(([result]) => result === undefined));
    assert.deepEqual(await bodies(source, sent.length), [...sent.keys()].map(String));
    assert.deepEqual(reports, [
      "the broker takes no messages until it has recovered: low on memory",
      "the broker takes messages again",
    ]);
  });

  test("knows a message by its message-id, and a CloudEvent by its own id", async () => {
    const channel = await rabbit.channel();
    await channel.assertQueue("ids");
    const send = (options: object): boolean => channel.sendToQueue("ids", Buffer.from("x"), options);
    send({ messageId: "order-7" });
    send({});
    send({ messageId: "m", headers: { cloudEvents_id: "1" } });
    send({ messageId: "m", contentType: "application/cloudevents+json" });
    await channel.waitForConfirms();
    const positions = async (rule: AmqpIn): Promise<(string | undefined)[]> => {
      await using bus = await connect();
      const batches = await receive(await bus.source(rule), 4);
      return batches.flatMap((batch) => batch.messages.map(({ position }) => position));
    };
    assert.deepEqual(await positions(incoming({ queue: "ids" })), ["order-7", undefined, undefined, undefined]);
    assert.deepEqual(await positions(incoming({ queue: "ids", messageId: false })), Array(4).fill(undefined));
  });

  test("reads headers of every type as text", async () => {
    const channel = await rabbit.channel();
    await channel.assertQueue("types");
    const time = { "!": "timestamp", value: 1_800_000_000 };
    const headers = { text: "ä", number: 7, flag: true, bytes: Buffer.from("b"), time, list: [1], table: { a: 1 } };
    channel.sendToQueue("types", Buffer.alloc(0), { headers, contentType: "text/plain" });
    await channel.waitForConfirms();
    await using bus = await connect();
    const [batch] = await receive(await bus.source(incoming({ queue: "types" })), 1);
    assert.deepEqual(batch?.messages[0]?.headers, {
      text: "ä",
      number: "7",
      flag: "true",
      bytes: "b",
      time: "2027-01-15T08:00:00.000Z",
    });
    assert.equal(batch?.messages[0]?.body?.byteLength, 0);
    assert.equal(batch?.messages[0]?.contentType, "text/plain");
  });

  test("reads no further than eight megabytes, whatever the number of messages", async () => {
    await rabbit.declare("heavy");
    await using bus = await connect();
    const source = await bus.source(incoming({ queue: "heavy" }));
    const big = Array.from({ length: 150 }, (_, index) => ({ body: Buffer.alloc(190_000, `${index} `), headers: {} }));
    await rabbit.send("heavy", big);
    const seen: number[] = [];
    const iterator = source.batches()[Symbol.asyncIterator]();
    while (seen.length < 150) {
      const { value } = (await iterator.next()) as { readonly value: Batch };
      assert.ok(value.messages.length <= 50, `${value.messages.length} messages`);
      seen.push(...value.messages.map((one) => Number.parseInt(textOf(one), 10)));
      await value.settle(value.messages.map(() => "done"));
    }
    assert.deepEqual(seen, [...Array(150).keys()]);
  });

  test("reads no further than eight megabytes of headers, even if messages are empty otherwise", async () => {
    await rabbit.declare("empty");
    await using bus = await connect();
    const source = await bus.source(incoming({ queue: "empty" }));
    const text = "x".repeat(30_000);
    await rabbit.send(
      "empty",
      Array.from({ length: 250 }, () => ({ body: Buffer.alloc(0), headers: { a: text, b: text } })),
    );
    const { messageCount } = await (await rabbit.channel()).checkQueue("empty");
    assert.equal(messageCount, 0, "all are on their way");
    for (const { messages } of await receive(source, 250)) {
      assert.ok(messages.length <= 160, `${messages.length} messages`);
    }
  });

  test("refuses a message whose routing key it may not use, and sends the others", async () => {
    await rabbit.declare("some-keys");
    await rabbit.ctl("add_user", "picky", "word");
    await rabbit.ctl("set_permissions", "picky", ".*", ".*", ".*");
    await rabbit.ctl("set_topic_permissions", "picky", "some-keys", "^open$", ".*");
    await using bus = await connect({ connection: `amqp://picky:word@127.0.0.1:${rabbit.port}` });
    const rule = { exchange: "some-keys", mandatory: false };
    const target = await bus.target(outgoing({ ...rule, routingKey: "${channel}" }));
    const results = await target.send(
      ["open", "closed", "open"].map((channel, index) => message(String(index), { channel })),
    );
    assert.deepEqual([results[0], results[2]], [undefined, undefined]);
    assert.match(results[1]?.message ?? "", /access to topic 'closed' in exchange 'some-keys' .* refused/);
    // If all messages have one key, they wait until it is allowed.
    await using other = await connect({ connection: `amqp://picky:word@127.0.0.1:${rabbit.port}` });
    const fixed = await other.target(outgoing({ ...rule, routingKey: "closed" }));
    await Promise.all([
      assert.rejects(fixed.send([message("3")]), /channel closed/),
      assert.rejects(other.lost, /access to topic/),
    ]);
  });

  test("shows a sample that stays in the queue", async () => {
    await rabbit.declare("sampled");
    await using bus = await connect();
    assert.equal(await bus.sample(incoming({ queue: "sampled" })), undefined);
    await rabbit.send("sampled", texts(2));
    const queue = "sampled";
    assert.equal(textOf(await bus.sample(incoming({ queue, bind: [{ exchange: "amq.fanout" }] }))), "0");
    (await rabbit.channel()).publish("amq.fanout", "", Buffer.from("not bound"));
    await assert.rejects(bus.sample(incoming({ queue, bind: [{ exchange: "nowhere" }] })), /no exchange nowhere/);
    await until("it is back", async () => (await (await rabbit.channel()).checkQueue("sampled")).messageCount === 2);
  });

  test("connects with TLS and credentials beside the URL, to the first node that answers", async () => {
    await using bus = await connect({
      connection: {
        url: ["amqps://127.0.0.1:1", `amqps://127.0.0.1:${rabbit.tlsPort}`],
        username: "guest",
        password: "guest",
        tls: { ca: rabbit.authority.pem },
      },
    });
    assert.equal(await bus.sample(incoming({ queue: "tls", declare: true })), undefined);
  });

  test("says why it cannot connect, without the password", async () => {
    const { port, tlsPort } = rabbit;
    await assert.rejects(connect({ connection: "amqp://guest:secret-word@127.0.0.1:1" }), {
      message: "cannot connect to amqp://127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1",
    });
    await assert.rejects(connect({ connection: `amqp://guest:secret-word@127.0.0.1:${port}` }), (error: Error) => {
      assert.match(error.message, /^cannot connect to amqp:\/\/127.0.0.1:\d+: ACCESS_REFUSED - Login was refused/);
      return !error.message.includes("secret-word");
    });
    await assert.rejects(connect({ connection: `amqp://127.0.0.1:${port}/missing` }), /refuses virtual host missing/);
    await assert.rejects(connect({ connection: `amqps://127.0.0.1:${tlsPort}` }), /self-signed certificate/);
  });
});

describeBridge("a bridge to RabbitMQ", {
  needs: needsRabbit,
  start: async () => rabbit,
  prefix: "cloudEvents_",
  isDurable: true,
});

function test(title: string, body: () => Promise<void>): void {
  it(title, (context: TestContext) => (needsRabbit(context) ? body() : undefined));
}

interface Options {
  readonly connection?: unknown;
  readonly report?: (sentence: string) => void;
}

async function connect({ connection = rabbit.connection, report = () => {} }: Options = {}): Promise<
  Bus<AmqpIn, AmqpOut> & AsyncDisposable
> {
  const bus = await amqp.connect(amqp.connection.parse(connection), { bridge: "test", node: "n1", report });
  return Object.assign(bus, { [Symbol.asyncDispose]: () => bus.close() });
}

function incoming(fields: Readonly<Record<string, unknown>>): AmqpIn {
  return amqp.in.parse(fields) as unknown as AmqpIn;
}

function outgoing(fields: Readonly<Record<string, unknown>>): AmqpOut {
  return amqp.out.parse(fields) as unknown as AmqpOut;
}

function message(text: string, { channel = "a" }: { readonly channel?: string } = {}): Outgoing {
  return { body: Buffer.from(text), headers: {}, id: `id ${text}`.slice(0, 99), names: { channel, event: "message" } };
}

function texts(count: number): { readonly body: Buffer; readonly headers: Record<string, string> }[] {
  return Array.from({ length: count }, (_, index) => ({ body: Buffer.from(String(index)), headers: {} }));
}

function textOf(received: { readonly body: Uint8Array | undefined } | undefined): string {
  return Buffer.from(received?.body ?? []).toString();
}

/** The batches that hold the next `count` messages, not settled. */
async function receive(source: Source, count: number): Promise<Batch[]> {
  const batches: Batch[] = [];
  const iterator = source.batches()[Symbol.asyncIterator]();
  for (let left = count; left > 0;) {
    const { value } = (await iterator.next()) as { readonly value: Batch };
    batches.push(value);
    left -= value.messages.length;
  }
  return batches;
}

async function bodies(source: Source, count: number): Promise<string[]> {
  return (await receive(source, count)).flatMap((batch) => batch.messages.map(textOf));
}

/** Settles the next messages with these outcomes. */
async function settle(source: Source, outcomes: readonly Outcome[]): Promise<void> {
  let done = 0;
  for (const batch of await receive(source, outcomes.length)) {
    const end = done + batch.messages.length;
    await batch.settle(outcomes.slice(done, end));
    done = end;
  }
}
