// An agent asks and a person answers on the same channel: the agent uses tools, the person a WebSocket.
// In a checkout, build the library once with `npm run build`.
// Start a hub with `npm start`, then: node examples/ask-a-person.js
import assert from "node:assert/strict";
import { connect } from "sse-mcp-server/client";

const url = process.env.HUB ?? "http://localhost:8000";
const channel = `review.${Date.now()}`;

// The person's page, over a WebSocket.
await using page = connect(url, { transport: "websocket" });
const person = page.subscribe(channel, {
  onMessage: ({ sender, data }) => {
    console.log(`${sender}: ${data}`);
    if (sender === "agent") void page.publish(channel, "Go ahead", { sender: "Kim" });
  },
});
await person.ready;

// The agent.
await using hub = connect(url);
console.log(`Tools: ${(await hub.tools()).map(({ name }) => name).join(", ")}`);
const asked = await hub.call("send_sse_message", { channel, message: "May I deploy?", sender: "agent" });
const after = asked.structuredContent.id;
const answer = await hub.call("wait_for_messages", { channels: [channel], after, timeoutSeconds: 10 });
const [message] = answer.structuredContent.messages;
assert.deepEqual([message.sender, message.data], ["Kim", "Go ahead"]);
