import assert from "node:assert/strict";
import type { Question } from "../../src/protocol/question.ts";
import { CLIENT_CAPABILITIES, mcp, resultOf, type McpAnswer } from "./mcp.ts";
import type { TestServer, ToolAnswer } from "./server.ts";
import { until } from "./until.ts";

type Reached = Pick<TestServer, "url" | "request">;
type Headers = Readonly<Record<string, string>>;

/** Calls `ask_person` without a session, as a client with these capabilities. */
export function askModern(
  server: Reached,
  input: object,
  capabilities: object,
  more: object = {},
  headers: Headers = {},
): Promise<McpAnswer> {
  const params = { name: "ask_person", arguments: input, ...more };
  return mcp(server, "tools/call", params, { meta: { [CLIENT_CAPABILITIES]: capabilities }, headers });
}

/** A complete result of a tool. */
export function toolAnswer(answer: McpAnswer): ToolAnswer {
  const result = resultOf(answer);
  assert.equal(result["resultType"], "complete", answer.text);
  return result as unknown as ToolAnswer;
}

export function textOf({ content }: ToolAnswer): string {
  return content[0]?.text ?? "";
}

/** The only question that is open, once there is one. */
export async function openQuestion(server: Reached): Promise<Question> {
  let found: readonly Question[] = [];
  await until("it is asked", async () => {
    found = ((await server.request("/questions?state=open")).json() as { questions: Question[] }).questions;
    return found.length === 1;
  });
  return found[0] as Question;
}

/** The question as it is now. */
export async function questionNow(server: Reached, id: string): Promise<Question> {
  return (await server.request(`/questions/${id}`)).json() as Question;
}

/** Answers on the hub; resolves with the status. */
export async function sayOnHub(server: Reached, id: string, value: unknown, by = "Ana"): Promise<number> {
  const body = JSON.stringify({ value, by });
  return (await server.request(`/questions/${id}/answer`, { method: "POST", body })).status;
}
