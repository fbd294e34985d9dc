import { text } from "node:stream/consumers";
import { MAX_BATCH, type Outgoing } from "../src/bridges/bus.ts";
import { connected, kindOf, MESSAGE, OUT, type Figure } from "./bridge-kinds.ts";

/** Where to send, by the fields of an `out` rule. */
interface Order {
  readonly kind: string;
  readonly connection: unknown;
  readonly out: unknown;
}

// A process of its own, as a hub is: reads its order from standard input, and prints a figure.
const order = JSON.parse(await text(process.stdin)) as Order;
const kind = await kindOf(order.kind);
const bus = await connected(kind, order.connection, "producer");
const target = await bus.target(kind.out.parse(order.out));
await send(OUT.warm);
const start = performance.now();
const cpu = process.cpuUsage();
const sent = await send(OUT.count);
const { user, system } = process.cpuUsage(cpu);
const figure: Figure = { rate: (1000 * sent) / (performance.now() - start), cpu: (user + system) / sent };
process.stdout.write(JSON.stringify(figure));
await target.close();
await bus.close();

/** Sends so many messages in batches; resolves with how many these were, as the last one is full, too. */
async function send(count: number): Promise<number> {
  let done = 0;
  for (; done < count; done += MAX_BATCH) {
    await target.send(Array.from({ length: MAX_BATCH }, (_, index) => outgoing(done + index)));
  }
  return done;
}

function outgoing(number: number): Outgoing {
  const id = String(number);
  return { ...MESSAGE, names: { channel: "orders", event: "message", sender: "bench", id }, id, key: "orders" };
}
