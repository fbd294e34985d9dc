import { setTimeout as pause } from "node:timers/promises";
import { until } from "../support/until.ts";
import { check, type Verdict } from "./checker.ts";
import { ask } from "./http.ts";
import { Publisher, PUBLISHING_DOORS } from "./publisher.ts";
import { Random } from "./random.ts";
import { Reader, type ReaderOptions } from "./reader.ts";
import type { Page, ReadingDoorName } from "./reading-doors.ts";
import { Recorder } from "./record.ts";
import { planFaults, type Planned } from "./schedule.ts";
import { isWanted, placeOf } from "./truth.ts";
import { World, type WorldKind } from "./world.ts";

const CHANNELS = ["c.one", "c.two", "c.three"];
const DOORS: readonly ReadingDoorName[] = ["sse", "websocket", "modern wait", "legacy wait", "history"];
/** Milliseconds in which every reader must have the last messages once all is well. */
const CATCH_UP = 20_000;
/** Milliseconds in which a node must publish once it is healthy. */
const PUBLISHABLE = 5000;

/** What came of a schedule. */
export interface Outcome {
  readonly seed: number;
  readonly faults: readonly string[];
  readonly verdict: Verdict;
}

export interface Run extends Outcome {
  readonly recorder: Recorder;
  /** What the processes wrote. */
  readonly output: string;
}

/** Runs the schedule of a seed, and judges what came of it. */
export async function run(seed: number, kind: WorldKind, only?: readonly string[]): Promise<Run> {
  const recorder = new Recorder();
  const plan = planFaults(seed, kind, only);
  const random = new Random(seed ^ 0x5eed);
  await using world = await World.open(kind);
  for (const node of world.nodes) node.onCrash = (text) => recorder.note({ kind: "crash", text });
  const places = (): typeof world.places => world.places;
  let count = 0;
  const numbers = (): number => ++count;
  const publishers = PUBLISHING_DOORS.map(
    (door) => new Publisher(door, door, places, CHANNELS, numbers, random.fork(), recorder),
  );
  const readers = readersOf(random).map((options) => new Reader(options, places, random.fork(), recorder));
  const publishing = publishers.map((publisher) => publisher.run());
  const reading = readers.map((reader) => reader.run());
  await pause(500);
  await Promise.all(plan.map((planned) => happen(planned, world, recorder)));
  const problem = await world.heal();
  recorder.note({ kind: "healed", problem });
  await pause(500);
  for (const publisher of publishers) publisher.stop();
  await Promise.all(publishing);
  for (const reader of readers) reader.wake();
  if (problem === null) await catchUp(world, readers, numbers, recorder);
  for (const reader of readers) reader.stop();
  await Promise.all(reading);
  for (const node of world.nodes) {
    if (problem === null) await readAll(node.name, node.url, recorder);
  }
  const faults = plan.map(({ name }) => name);
  return { seed, faults, recorder, verdict: check(recorder.entries), output: world.output };
}

function readersOf(random: Random): readonly ReaderOptions[] {
  return DOORS.flatMap((door): ReaderOptions[] => [
    { name: `${door}, hopping`, door, channels: ["c.*"], from: "now", stay: 3000, away: 300 },
    { name: `${door}, sleeping`, door, channels: [random.of(CHANNELS)], from: "earliest", stay: 1500, away: 5000 },
    { name: `${door}, staying`, door, channels: ["c.*"], from: "earliest", stay: 60_000, away: 100 },
  ]);
}

async function happen({ at, name, fault, random }: Planned, world: World, recorder: Recorder): Promise<void> {
  await pause(at);
  const note = (what: string): void => recorder.note({ kind: "fault", fault: name, what });
  note("begins");
  try {
    await fault(world, random, note);
    note("over");
  } catch (error) {
    // Another fault may have taken away what this one needs.
    note(`failed: ${String(error)}`);
  }
}

/** Publishes on each channel, by one node after the other, and waits until every reader has the last of its channels. */
async function catchUp(
  world: World,
  readers: readonly Reader[],
  numbers: () => number,
  recorder: Recorder,
): Promise<void> {
  const last = new Map<string, string>();
  // A node that was with an old primary has told the others how far it had got before it publishes again.
  for (const node of world.nodes) {
    for (const channel of CHANNELS) {
      const id = await publishLast(`${node.url}/channels/${channel}/messages`, channel, numbers, recorder);
      if (id === undefined) return;
      last.set(channel, id);
    }
  }
  // A gap may have taken it there, too.
  const hasAll = ({ channels, cursor = "earliest" }: Reader): boolean =>
    [...last].every(([channel, id]) => !isWanted(channel, channels) || (placeOf(cursor) ?? -1) >= (placeOf(id) ?? -1));
  await until("every reader has the last messages", () => readers.every(hasAll), CATCH_UP).catch(() => {
    const behind = readers.filter((reader) => !hasAll(reader)).map(({ name }) => name);
    recorder.note({ kind: "healed", problem: `${behind.join("; ")} got nothing new within ${CATCH_UP} ms` });
  });
}

/** Publishes a message, again if the log is not available for a moment; returns its id, or undefined if it stays so. */
async function publishLast(
  url: string,
  channel: string,
  numbers: () => number,
  recorder: Recorder,
): Promise<string | undefined> {
  for (const start = performance.now(); ;) {
    const n = numbers();
    recorder.note({ kind: "attempt", publisher: "last", n, channel });
    const headers = { "content-type": "application/json" };
    const { status, text } = await ask(url, { method: "POST", headers, body: JSON.stringify({ n }) });
    if (status === 201) {
      const { id } = JSON.parse(text) as { readonly id: string };
      recorder.note({ kind: "acknowledged", n, id, repeated: false });
      return id;
    }
    recorder.note({ kind: "refused", n, status, isUnsure: true, why: text });
    if (status !== 503 || performance.now() - start > PUBLISHABLE) {
      recorder.note({ kind: "healed", problem: `publishing is answered with ${status}: ${text}` });
      return undefined;
    }
    await pause(200);
  }
}

/** Reads all that a node has, as another reader. */
async function readAll(name: string, url: string, recorder: Recorder): Promise<void> {
  const reader = `all that ${name} has`;
  let after = "earliest";
  recorder.note({ kind: "open", reader, at: name, channels: ["*"], after });
  for (;;) {
    const query = new URLSearchParams({ after, limit: "500" });
    const { status, text } = await ask(`${url}/channels/*/messages?${query.toString()}`);
    if (status !== 200) throw new Error(`${name} answers ${status}: ${text}`);
    const page = JSON.parse(text) as Page;
    if (page.gap !== null) recorder.note({ kind: "gap", reader, ...page.gap });
    for (const { id, channel, data } of page.messages) {
      recorder.note({ kind: "message", reader, id, n: data.n, channel });
    }
    if (!page.more) return;
    if (page.next === after) {
      recorder.note({ kind: "healed", problem: `${name} says that there is more after ${after}, and gives nothing` });
      return;
    }
    after = page.next;
  }
}
