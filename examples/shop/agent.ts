// An agent, without its model: it waits for orders as an MCP client, and answers the big ones.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

interface Waited {
  readonly next: string;
  readonly messages: readonly {
    readonly data: { readonly name: string; readonly item: string; readonly price: number };
  }[];
}

const client = new Client({ name: "shop-agent", version: "1.0.0" });
await client.connect(
  new StreamableHTTPClientTransport(new URL(`${process.env["HUB"] ?? "http://localhost:8000"}/mcp`)),
);
const call = async (name: string, input: Record<string, unknown>): Promise<unknown> =>
  (await client.callTool({ name, arguments: input })).structuredContent;
console.log("agent: ready");

for (let after: string | undefined; ;) {
  const asked = { channels: ["orders.placed"], timeoutSeconds: 20, ...(after === undefined ? {} : { after }) };
  const { next, messages } = (await call("wait_for_messages", asked)) as Waited;
  after = next;
  for (const { data } of messages) {
    if (data.price < 100) continue;
    const message = `Thank you for choosing the ${data.item}: the next delivery is free`;
    await call("send_sse_message", { channel: `notices.${data.name}`, message, sender: "agent" });
  }
}
