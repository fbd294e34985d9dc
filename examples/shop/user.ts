// The user service: what it is asked for and what it tells are channels of the hub.
import { connect } from "sse-mcp-server/client";

interface Request {
  readonly name: string;
}

const hub = connect(process.env["HUB"] ?? "http://localhost:8000");
const requests = hub.subscribe<Request>("requests.user");
await requests.ready;
console.log("user service: ready");

const users = new Map<string, number>();
for await (const { id, data } of requests) {
  const { name } = data;
  if (users.has(name)) continue;
  users.set(name, users.size + 1);
  const user = { user: users.get(name), name };
  // The key makes one message of it, even if the service is restarted in between and asked again.
  await hub.publish("users.joined", user, { sender: "user-service", key: `joined ${id}` });
}
