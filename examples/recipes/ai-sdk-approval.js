// ai-sdk-approval.js
import { generateText, isStepCount, tool } from "ai";
import { z } from "zod";

const { HUB = "http://localhost:8000", HUB_TOKEN = "" } = process.env;
const headers = { "content-type": "application/json", ...(HUB_TOKEN && { authorization: `Bearer ${HUB_TOKEN}` }) };

const refund = tool({
  description: "Pays money back to whoever ordered.",
  inputSchema: z.object({ order: z.number(), euros: z.number() }),
  execute: ({ order, euros }) => `${euros} euros for order ${order} are on their way`,
});

/** Asks people whether a tool may be called; resolves with the question when it is closed, however long that takes. */
async function ask(key, name, input) {
  const question = { channel: "approvals", text: `May I call ${name}?`, proposal: { name, arguments: input } };
  // With the same key, the same question: a process that starts again waits for the answer to the first.
  let response = await fetch(`${HUB}/questions?wait=50`, {
    method: "POST",
    headers: { ...headers, "idempotency-key": key },
    body: JSON.stringify(question),
  });
  for (;;) {
    const asked = await response.json();
    if (!response.ok) throw new Error(asked.detail);
    if (asked.state === "closed") return asked;
    response = await fetch(`${HUB}/questions/${asked.id}?wait=50`, { headers });
  }
}

export async function run(model, prompt) {
  const messages = [{ role: "user", content: prompt }];
  for (;;) {
    const result = await generateText({
      model,
      tools: { refund },
      toolApproval: { refund: "user-approval" },
      stopWhen: isStepCount(10),
      messages,
    });
    messages.push(...result.responseMessages);
    const wanted = result.content.filter(({ type, isAutomatic }) => type === "tool-approval-request" && !isAutomatic);
    if (wanted.length === 0) return result.text;
    const answer = async ({ approvalId, toolCall: { toolCallId, toolName, input } }) => {
      const { answered, outcome } = await ask(toolCallId, toolName, input);
      const reason = answered === undefined ? `No one answered: ${outcome}` : `${answered.by} answered`;
      return { type: "tool-approval-response", approvalId, approved: answered?.value === true, reason };
    };
    messages.push({ role: "tool", content: await Promise.all(wanted.map(answer)) });
  }
}

// "openai/gpt-5" or another model of a gateway or provider of the AI SDK.
if (import.meta.main) console.log(await run(process.env.MODEL, "Order 123 came broken, I want my 20 euros back"));
