import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openBrowser } from "../support/browser.ts";
import { Authority } from "../support/certificates.ts";
import { startEngine } from "../support/redis.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { CHECKS } from "./checks.ts";
import { KINDS, type GatewayKind } from "./kinds.ts";
import * as stages from "./stages.ts";

const PAGE = join(import.meta.dirname, "../../docs/gateways.md");
const BEGIN = "<!-- results -->\n";
const END = "<!-- /results -->";
const { ADDRESSES_TITLE, AWAY_TITLE, RESTART_TITLE, RETURNING_TITLE, SOURCES_TITLE } = stages;
const TITLES = [
  ...CHECKS.map(({ title }) => title),
  RESTART_TITLE,
  ADDRESSES_TITLE,
  AWAY_TITLE,
  SOURCES_TITLE,
  RETURNING_TITLE,
];

// npm run gateways -- [--only NAME]… [--quiet SECONDS] [--write]: the last result stands in docs/gateways.md.
const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true, default: [] },
    quiet: { type: "string", default: "75" },
    write: { type: "boolean", default: false },
  },
});
const unknown = values.only.find((name) => !KINDS.some((kind) => kind.name === name));
if (unknown !== undefined) throw new Error(`--only is ${unknown}; use ${KINDS.map(({ name }) => name).join(", ")}`);
const quiet = Number(values.quiet);
if (!(quiet > 0)) throw new Error(`--quiet is ${values.quiet}; use a number of seconds`);
const wanted = KINDS.filter(({ name }) => values.only.length === 0 || values.only.includes(name));
for (const { name, install } of wanted.filter(({ binary }) => binary === undefined)) {
  console.log(`${name} is missing; install it with: ${install}`);
}
const kinds = wanted.filter(({ binary }) => binary !== undefined);
const cells = new Map<string, Map<GatewayKind, string>>(TITLES.map((title) => [title, new Map()]));
let failed = 0;

using folder = new TemporaryFolder();
await using engine = await startEngine();
await using browser = await openBrowser();
const bench: stages.Bench = {
  kinds,
  engine,
  authority: new Authority(folder.path),
  adapt: (text) => text,
  tell(title, kind, cell) {
    if (cell instanceof Error) failed++;
    cells.get(title)?.set(kind, cell instanceof Error ? "**fails**" : cell);
    console.log(`${kind.name} ${kind.version}: ${title}: ${cell instanceof Error ? cell.message : cell}`);
  },
};
await stages.threeNodes(bench, { heartbeat: 15, quiet });
await stages.rollingRestart(bench);
await stages.oneNode(bench);
if (browser !== undefined) await stages.inBrowser(bench, browser);

const table = [
  ["", ...kinds.map(({ name, version }) => `${name} ${version}`)],
  ["---", ...kinds.map(() => "---")],
  ...TITLES.map((title) => [title, ...kinds.map((kind) => cells.get(title)?.get(kind) ?? "")]),
];
const result = `${new Date().toISOString().slice(0, 10)}:\n\n${table.map((row) => `| ${row.join(" | ")} |`).join("\n")}\n`;
console.log(`\n${result}`);
if (values.write) {
  const [before = "", rest = ""] = readFileSync(PAGE, "utf8").split(BEGIN);
  const [, after = ""] = rest.split(END);
  writeFileSync(PAGE, `${before}${BEGIN}\nThe result of ${result}\n${END}${after}`);
}
process.exitCode = failed === 0 && kinds.length === wanted.length ? 0 : 1;
