// permission-hook.js
// A hook of Claude Code (PreToolUse or PermissionRequest) and of Codex (PermissionRequest): asks people on a channel of
// the hub whether a tool may run, and prints what they decide. If they do not, the agent goes on as without the hook.
import { spawnSync } from "node:child_process";
import { text } from "node:stream/consumers";

const { HUB_URL = "http://127.0.0.1:8000", HUB_CHANNEL = "agents", HUB_DEADLINE = "10m", HUB_COMMAND } = process.env;
const [command, ...first] = HUB_COMMAND?.split(" ") ?? ["sse-mcp-server"];

const {
  hook_event_name: event,
  tool_name: tool,
  tool_input: input,
  cwd,
  turn_id: turn,
} = JSON.parse(await text(process.stdin));
// Only Codex has turns in what it tells its hooks.
const agent = turn === undefined ? "Claude Code" : "Codex";
const question = ["ask", HUB_CHANNEL, `May ${agent} use ${tool}?`, "--yes", "Allow", "--no", "Deny"];
// People see exactly what would run, and their answer is to that alone.
question.push(`--proposal=${JSON.stringify({ name: tool, arguments: input })}`);
question.push(`--context=${[input?.description, `In \`${cwd}\``].filter(Boolean).join("\n\n")}`);
const asked = spawnSync(command, [...first, ...question, "--url", HUB_URL, "--deadline", HUB_DEADLINE, "--json"], {
  encoding: "utf8",
  stdio: ["ignore", "pipe", "inherit"],
});
// 0: yes, 3: no. With anything else there is no answer, and the agent asks whoever sits in front of it.
const { by } = [0, 3].includes(asked.status) ? JSON.parse(asked.stdout).answered : {};
const behavior = asked.status === 0 ? "allow" : "deny";
const reason = by === undefined ? `No one answered on ${HUB_CHANNEL}` : `${by} said ${behavior} on ${HUB_CHANNEL}`;
const decided =
  event === "PreToolUse"
    ? { permissionDecision: by === undefined ? "ask" : behavior, permissionDecisionReason: reason }
    : by !== undefined && { decision: { behavior, ...(behavior === "deny" && { message: reason }) } };
if (decided) console.log(JSON.stringify({ hookSpecificOutput: { hookEventName: event, ...decided } }));
