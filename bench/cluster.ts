import { measureCell, measureQuietly, WARM_UP, type Cell, type CellLoad } from "./cell.ts";
import { CENTRIFUGO_ON_REDIS, Nodes, ours, type Cluster } from "./nodes.ts";
import type { RedisOptions } from "./redis-process.ts";
import { ServerProcess } from "./server-process.ts";
import { OURS } from "./targets.ts";

const READERS = 1000;
const NODES = 3;
/** Several nodes on one core get through fewer messages each than one, and have as much to compile. */
const WARM_UP_SECONDS = 4;
/** On each node, so that nodes with as many readers can be compared. */
const READERS_PER_NODE = 100;

/** Rounds of what is compared with nothing. */
const FEWER = 2;

/** How publishers and readers are spread over nodes. */
export type Spread = "one" | "all" | "apart";

/** The measurements of one row, by round. */
export interface Row {
  readonly title: string;
  readonly cells: Cell[];
}

/** What each part of `--cluster` has measured. */
export interface ClusterFigures {
  /** For a number of publishers: the log in a file, and the same server on Redis. */
  readonly beside: readonly { readonly publishers: number; readonly file: Cell[]; readonly redis: Cell[] }[];
  readonly three: readonly { readonly title: string; readonly rows: readonly Row[] }[];
  readonly growth: readonly Row[];
  readonly durability: readonly Row[];
}

export interface ClusterOptions {
  readonly seconds: number;
  readonly rounds: number;
  readonly say: (line: string) => void;
}

/** One node on Redis beside one with its log in a file; several nodes, beside Centrifugo's; and how safe costs how much. */
export async function measureCluster(options: ClusterOptions): Promise<ClusterFigures> {
  return {
    beside: await measureBeside(options),
    three: await measureThree(options),
    growth: await measureGrowth({ ...options, rounds: Math.min(options.rounds, FEWER) }),
    durability: await measureDurability({ ...options, rounds: Math.min(options.rounds, FEWER) }),
  };
}

async function measureBeside({ seconds, rounds, say }: ClusterOptions): Promise<ClusterFigures["beside"]> {
  const figures = [1, 16].map((publishers) => ({ publishers, file: [] as Cell[], redis: [] as Cell[] }));
  const { contender } = ours("");
  for (let round = 0; round < rounds; round += 1) {
    await using file = await ServerProcess.start(OURS);
    await using redis = await Nodes.start(ours(""), 1);
    for (const server of [file, redis]) await measureCell(contender, server, { ...WARM_UP, seconds: WARM_UP_SECONDS });
    for (const figure of figures) {
      const load = { readers: READERS, publishers: figure.publishers, seconds, rate: 0 };
      const both = [
        { name: "file", server: file, cells: figure.file },
        { name: "Redis", server: redis, cells: figure.redis },
      ];
      for (const { name, server, cells } of round % 2 === 0 ? both : both.toReversed()) {
        cells.push(await measureQuietly(contender, server, load));
        say(`round ${round + 1}, ${figure.publishers} publishers, ${name}: ${sentence(cells)}`);
      }
    }
  }
  return figures;
}

async function measureThree({ seconds, rounds, say }: ClusterOptions): Promise<ClusterFigures["three"]> {
  const clusters = [ours("this server"), CENTRIFUGO_ON_REDIS].filter(
    (cluster) => cluster.node(0).missing() === undefined,
  );
  const loads: readonly { readonly title: string; readonly load: CellLoad; readonly spread: Spread }[] = [
    { title: "16 publishers on one node", load: closed(16, seconds), spread: "one" },
    { title: "16 publishers on all", load: closed(16, seconds), spread: "all" },
    { title: "64 publishers on all", load: closed(64, seconds), spread: "all" },
    { title: "200/s on one node, read on the others", load: { ...closed(16, seconds), rate: 200 }, spread: "apart" },
  ];
  const figures = loads.map(({ title }) => ({ title, rows: clusters.map(row) }));
  for (let round = 0; round < rounds; round += 1) {
    for (const [at, cluster] of clusters.entries()) {
      await using nodes = await Nodes.start(cluster, NODES);
      await warmUp(cluster, nodes);
      for (const [index, { title, load, spread }] of loads.entries()) {
        const cells = figures[index]?.rows[at]?.cells ?? [];
        cells.push(await measureQuietly(cluster.contender, nodes, { ...load, nodes: placed(nodes, spread) }));
        say(`round ${round + 1}, ${title}, ${cluster.title}: ${sentence(cells)}`);
      }
    }
  }
  return figures;
}

async function measureGrowth({ seconds, rounds, say }: ClusterOptions): Promise<readonly Row[]> {
  const rows = Array.from({ length: NODES }, (_, index) => row({ title: String(index + 1) }));
  const cluster = ours("");
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, { title, cells }] of rows.entries()) {
      await using nodes = await Nodes.start(cluster, index + 1);
      await warmUp(cluster, nodes);
      const load = { ...closed(16, seconds), readers: READERS_PER_NODE * (index + 1) };
      cells.push(await measureQuietly(cluster.contender, nodes, { ...load, nodes: placed(nodes, "one") }));
      say(`round ${round + 1}, ${title} nodes: ${sentence(cells)}`);
    }
  }
  return rows;
}

async function measureDurability({ seconds, rounds, say }: ClusterOptions): Promise<readonly Row[]> {
  const kinds: readonly { readonly title: string; readonly redis: RedisOptions; readonly replica?: boolean }[] = [
    { title: "appendonly no", redis: { fsync: "off" } },
    { title: "appendfsync no", redis: { fsync: "no" } },
    { title: "appendfsync everysec", redis: { fsync: "everysec" } },
    { title: "appendfsync always", redis: { fsync: "always" } },
    { title: "everysec, a replica", redis: { fsync: "everysec" }, replica: true },
    { title: "everysec, a replica, DURABILITY=full", redis: { fsync: "everysec" }, replica: true },
  ];
  const rows = kinds.map(row);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, { title, redis, replica = false }] of kinds.entries()) {
      const cluster = ours("", title.includes("full") ? ["DURABILITY=full"] : []);
      await using nodes = await Nodes.start(cluster, 1, { ...redis, replica });
      await warmUp(cluster, nodes);
      const cells = rows[index]?.cells ?? [];
      cells.push(await measureQuietly(cluster.contender, nodes, { ...closed(16, seconds), readers: READERS_PER_NODE }));
      say(`round ${round + 1}, ${title}: ${sentence(cells)}`);
    }
  }
  return rows;
}

/** Each node compiles what it needs to take, to follow and to deliver. */
async function warmUp({ contender }: Cluster, nodes: Nodes): Promise<void> {
  await measureCell(contender, nodes, { ...WARM_UP, seconds: WARM_UP_SECONDS, nodes: placed(nodes, "all") });
}

function placed({ ports }: Nodes, spread: Spread): NonNullable<CellLoad["nodes"]> {
  return {
    publish: spread === "all" ? ports : ports.slice(0, 1),
    read: spread === "apart" ? ports.slice(1) : ports,
  };
}

function closed(publishers: number, seconds: number): CellLoad {
  return { readers: NODES * READERS_PER_NODE, publishers, seconds, rate: 0 };
}

function row({ title }: { readonly title: string }): Row {
  return { title, cells: [] };
}

function sentence(cells: readonly Cell[]): string {
  const cell = cells.at(-1);
  if (cell === undefined) return "";
  const { publishes, deliveries, disturbed } = cell;
  return (
    `${Math.round(publishes.perSecond)} acknowledged/s, ${Math.round(deliveries.perSecond)} deliveries/s, ` +
    `p99 ${deliveries.latency.p99.toFixed(1)} ms, disturbed ${disturbed.toFixed(2)}` +
    (publishes.trouble === undefined ? "" : `, ${publishes.trouble}`)
  );
}
