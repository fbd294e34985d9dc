import type { Cell, ConnectionMemory } from "./cell.ts";
import { cpuPerDelivery, deliveriesPerSecond } from "./matrix.ts";
import type { Matrix } from "./matrix.ts";
import { median, medianRatio } from "./median.ts";
import type { CallRates, McpRates } from "./parts.ts";
import type { TrustRates } from "./trust.ts";
import { table } from "./table.ts";

const READERS = 1000;
const KILOBYTE = 1000;

/** What was measured; a part that was left out is undefined. */
export interface Measured {
  readonly matrix: Matrix | undefined;
  readonly calls: CallRates | undefined;
  readonly mcp: McpRates | undefined;
  readonly seed: ReadonlyMap<string, readonly Cell[]> | undefined;
  readonly trust: TrustRates | undefined;
  readonly memory: ReadonlyMap<string, ConnectionMemory> | undefined;
}

interface Goal {
  readonly what: string;
  readonly wanted: string;
  readonly got: number;
  readonly unit: string;
  readonly met: boolean;
}

/** What this server set out to reach, and whether it did. */
export function goalsText(measured: Measured): string {
  const rows = goals(measured).map(({ what, wanted, got, unit, met }) =>
    Number.isNaN(got)
      ? [what, wanted, "not measured", ""]
      : [what, wanted, `${got.toFixed(2)}${unit}`, met ? "pass" : "miss"],
  );
  return table(2, ["goal", "wanted", "measured", "result"], rows);
}

function goals({ matrix, calls, mcp, seed, memory, trust }: Measured): readonly Goal[] {
  const cpu = (to: string, publishers: number, name = "ours"): number =>
    compare(matrix, cpuPerDelivery, name, to, publishers);
  const pace = (publishers: number): number => compare(matrix, deliveriesPerSecond, "ours", "nchan", publishers);
  const doors = Math.max(
    ...[1, 16, 64].map((publishers) => cpu("ours", publishers, "ours-ws")).filter((value) => value > 0),
  );
  const p99 = (name: string): number => median((seed?.get(name) ?? []).map(({ deliveries }) => deliveries.latency.p99));
  const lost = (seed?.get("ours") ?? []).reduce((sum, { deliveries }) => sum + deliveries.lost, 0);
  return [
    atMost("1 publisher: CPU per delivery", 0.65, "× naive", cpu("naive", 1)),
    atMost("1 publisher: CPU per delivery", 1, "× Nchan", cpu("nchan", 1)),
    atMost("16 publishers: CPU per delivery", 0.12, "× naive", cpu("naive", 16)),
    atLeast("16 publishers: deliveries/s", 8, "× Nchan", pace(16)),
    atLeast("64 publishers: deliveries/s", 18, "× Nchan", pace(64)),
    atMost("WebSocket: CPU per delivery, the worst of 1, 16 and 64 publishers", 1.3, "× SSE", finite(doors)),
    atLeast("calls of get_server_info/s", 0.75, "× bare node:http", medianRatio(calls?.info ?? [], calls?.bare ?? [])),
    atLeast("calls of send_sse_message/s", 0.6, "× bare node:http", medianRatio(calls?.send ?? [], calls?.bare ?? [])),
    atLeast("MCP: calls of get_server_info/s", 0.6, "× bare node:http", medianRatio(mcp?.info ?? [], mcp?.bare ?? [])),
    atLeast("MCP: calls of send_sse_message/s", 0.6, "× bare node:http", medianRatio(mcp?.send ?? [], mcp?.bare ?? [])),
    atLeast("MCP: calls of get_server_info/s", 5, "× official SDK", medianRatio(mcp?.info ?? [], mcp?.sdk ?? [])),
    atMost(
      "MCP: 1,000 listeners, CPU per notification",
      1.5,
      "× SSE",
      median((mcp?.listening ?? []).map(({ notification, delivery }) => notification / delivery)),
    ),
    atMost(
      "MCP: 1,000 sessions, CPU per notification",
      1.5,
      "× SSE",
      median((mcp?.listening ?? []).map(({ inSession, delivery }) => inSession / delivery)),
    ),
    atMost("100 readers, 50 publishes/s: p99 of delivery", 1.3, "× Nchan", p99("ours") / p99("nchan")),
    atMost("100 readers, 50 publishes/s: p99 of delivery", 1, "× Centrifugo", p99("ours") / p99("centrifugo")),
    atMost("100 readers, 50 publishes/s: p99 of delivery", 1, "× Mercure", p99("ours") / p99("mercure")),
    atMost("100 readers, 50 publishes/s: lost", 0, "", seed === undefined ? Number.NaN : lost),
    atLeast("send_sse_message/s with a JWT", 0.9, "× without", medianRatio(trust?.jwt ?? [], trust?.open ?? [])),
    atLeast(
      "send_sse_message/s with rate limits",
      0.95,
      "× without",
      medianRatio(trust?.limited ?? [], trust?.open ?? []),
    ),
    atMost("memory per idle SSE connection", 16, " KB", (memory?.get("ours")?.idle ?? Number.NaN) / KILOBYTE),
  ];
}

function compare(
  matrix: Matrix | undefined,
  figure: (cell: Cell) => number,
  name: string,
  to: string,
  publishers: number,
): number {
  if (matrix === undefined) return Number.NaN;
  const of = (contender: string): readonly number[] => matrix.figures(contender, READERS, publishers, figure);
  return medianRatio(of(name), of(to));
}

function atMost(what: string, limit: number, unit: string, got: number): Goal {
  return { what, wanted: `at most ${limit}${unit}`, got, unit, met: got <= limit };
}

function atLeast(what: string, limit: number, unit: string, got: number): Goal {
  return { what, wanted: `at least ${limit}${unit}`, got, unit, met: got >= limit };
}

function finite(value: number): number {
  return Number.isFinite(value) ? value : Number.NaN;
}
