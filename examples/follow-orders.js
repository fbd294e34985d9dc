// Reads the orders of every region, and publishes some.
// In a checkout, build the library once with `npm run build`.
// Start a hub with `npm start`, then: node examples/follow-orders.js
import assert from "node:assert/strict";
import { connect } from "sse-mcp-server/client";

await using hub = connect(process.env.HUB ?? "http://localhost:8000");
hub.onState((state) => console.log(`The connection is ${state.kind}`));

const orders = hub.subscribe("orders.*");
await orders.ready;

await hub.publish("orders.eu", { order: 1 }, { event: "created", sender: "shop" });
await hub.publish("orders.us", { order: 2 }, { event: "created", sender: "shop" });
const { id, receivers } = await hub.publish("orders.eu", { order: 1 }, { event: "shipped", sender: "shop" });
console.log(`The last one is kept at ${id} and was offered to ${receivers} reader(s)`);

const seen = [];
for await (const { channel, event, data } of orders) {
  console.log(`${channel}: order ${data.order} was ${event}`);
  seen.push(`${channel} ${data.order} ${event}`);
  if (event === "shipped") break;
}
assert.deepEqual(seen, ["orders.eu 1 created", "orders.us 2 created", "orders.eu 1 shipped"]);
