// openai-agents-approval.js
import { Agent, run, tool } from "@openai/agents";
import { z } from "zod";

const { HUB = "http://localhost:8000", HUB_TOKEN = "" } = process.env;
const headers = { "content-type": "application/json", ...(HUB_TOKEN && { authorization: `Bearer ${HUB_TOKEN}` }) };

export const refund = tool({
  name: "refund",
  description: "Pays money back to whoever ordered.",
  parameters: z.object({ order: z.number(), euros: z.number() }),
  needsApproval: true,
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

export async function runWithPeople(agent, request) {
  let result = await run(agent, request);
  while (result.interruptions.length > 0) {
    for (const wanted of result.interruptions) {
      const { answered } = await ask(wanted.rawItem.callId, wanted.name, JSON.parse(wanted.arguments));
      if (answered?.value === true) result.state.approve(wanted);
      else result.state.reject(wanted, { message: `${answered?.by ?? "No one"} did not allow it` });
    }
    result = await run(agent, result.state);
  }
  return result.finalOutput;
}

if (import.meta.main) {
  const support = new Agent({ name: "support", instructions: "Help with orders.", tools: [refund] });
  console.log(await runWithPeople(support, "Order 123 came broken, I want my 20 euros back"));
}
