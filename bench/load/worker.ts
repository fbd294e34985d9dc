import type { Order, Report } from "./orders.ts";
import { Publishers } from "./publishers.ts";
import { Readers } from "./readers.ts";

const PROGRESS = 500;

let readers: Readers | undefined;
let publishers: Publishers | undefined;
let awake = false;

process.on("disconnect", () => process.exit());
process.on("message", (order: Order) => void obey(order));
setInterval(() => {
  report({ kind: "progress", published: publishers?.answered ?? 0, delivered: readers?.delivered ?? 0 });
}, PROGRESS);

async function obey(order: Order): Promise<void> {
  switch (order.kind) {
    case "readers": {
      readers = new Readers(order.plan, order.first, order.count);
      report(await readers.connect());
      return;
    }
    case "publishers": {
      publishers = new Publishers(order.plan);
      report(await publishers.connect());
      return;
    }
    case "publish": {
      awake = order.awake;
      stayAwake();
      if (publishers !== undefined) report(await publishers.run());
      return;
    }
    case "drain": {
      if (readers !== undefined) report(await readers.drain(order.published));
      awake = false;
    }
  }
}

/** Keeps the event loop turning: with something to do at once it asks for events and does not wait for them. */
function stayAwake(): void {
  if (awake) setImmediate(stayAwake);
}

function report(message: Report): void {
  process.send?.(message);
}
