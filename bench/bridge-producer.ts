import { text } from "node:stream/consumers";
import { MAX_BATCH, type Outgoing } from "../src/bridges/bus.ts";
import { connected, kindOf, MESSAGE, OUT, type Figure } from "./bridge-kinds.ts";

/** Where to send, by the fields of an `out` rule. */
interface DriverOrder {
  readonly kind: string;
  readonly connection: unknown;
  readonly out: unknown;
}

class Stopwatch {
  readonly #count: number;
  readonly #start = performance.now();
  readonly #cpu = process.cpuUsage();

  /** Starts after so many messages. */
  constructor(count: number) {
    this.#count = count;
  }

  read(count: number): Figure {
    const done = count - this.#count;
    const { user, system } = process.cpuUsage(this.#cpu);
    return { rate: (1000 * done) / (performance.now() - this.#start), cpu: (user + system) / done };
  }
}

// A process of its own, as a hub is: reads its order from standard input, and prints a figure.
const order = JSON.parse(await text(process.stdin)) as DriverOrder;
const kind = await kindOf(order.kind);
const bus = await connected(kind, order.connection, "driver");
const figure = await send();
process.stdout.write(JSON.stringify(figure));
await bus.close();

async function send(): Promise<Figure> {
  const target = await bus.target(kind.out.parse(order.out));
  let measured: Stopwatch | undefined;
  let sent = 0;
  for (; sent < OUT.warm + OUT.count; sent += MAX_BATCH) {
    if (sent >= OUT.warm) measured ??= new Stopwatch(sent);
    await target.send(Array.from({ length: MAX_BATCH }, (_, index) => outgoing(sent + index)));
  }
  const result = measured?.read(sent) ?? { rate: 0, cpu: 0 };
  await target.close();
  return result;
}

function outgoing(number: number): Outgoing {
  const id = String(number);
  return { ...MESSAGE, names: { channel: "orders", event: "message", sender: "bench", id }, id, key: "orders" };
}
