// The notification service: it follows channels that other services write, wherever those come from.
import { connect } from "sse-mcp-server/client";

interface Joined {
  readonly name: string;
}

interface Placed extends Joined {
  readonly order: number;
  readonly item: string;
}

const hub = connect(process.env["HUB"] ?? "http://localhost:8000");
const facts = hub.subscribe<Joined | Placed>(["users.joined", "orders.placed"]);
await facts.ready;
console.log("notification service: ready");

for await (const { id, data } of facts) {
  const { name } = data;
  const text = "order" in data ? `Order ${data.order} (${data.item}) is on its way` : `Welcome, ${name}!`;
  const options = { sender: "notification-service", key: `notice ${id}` };
  await hub.publish(`notices.${name}`, text, options);
}
