import { parseArgs } from "node:util";
import { CONTENDERS } from "./targets.ts";

const PARTS = ["matrix", "calls", "mcp", "seed", "memory", "trust"] as const;

/** Flags with which everything is still measured. */
const ENOUGH: readonly string[] = ["rounds", "seconds", "cluster", "gzip"];

/** A part of the comparison. */
export type Part = (typeof PARTS)[number];

/** What `npm run bench` was asked for. */
export interface Options {
  readonly only: readonly string[];
  readonly parts: readonly Part[];
  readonly readers: readonly number[];
  readonly publishers: readonly number[];
  readonly seconds: number;
  readonly rounds: number;
  /** Instead of the comparison: nodes that share a Redis. */
  readonly cluster: boolean;
  /** Instead of the comparison: compressed streams. */
  readonly gzip: boolean;
  /** Write the tables into the document: by default, if everything was measured. */
  readonly write: boolean;
}

export const HELP: string = `Usage: npm run bench -- [flags]

Compares this server with others on this machine and writes the tables into docs/benchmarks.md.

  --only NAMES        some of ${CONTENDERS.map(({ name }) => name).join(",")}
  --parts PARTS       some of ${PARTS.join(",")}
  --readers NUMBERS   (100,1000,5000)
  --publishers NUMBERS (1,16,64)
  --seconds N         how long to publish in each cell (2)
  --rounds N          how often to measure each cell (3)
  --cluster           instead, measures nodes that share a Redis, beside Centrifugo's
  --gzip              instead, measures compressed streams, in one round of a minute and a half
  --quick             --readers 100,1000 --publishers 1,16 --seconds 1 --rounds 1
  --write             write the document although not everything was measured
`;

/** Reads the command line; throws a sentence when it is wrong. */
export function parseOptions(words: readonly string[]): Options | "help" {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const { values } = parseArgs({
    args: [...words],
    options: {
      only: text,
      parts: text,
      readers: text,
      publishers: text,
      seconds: text,
      rounds: text,
      cluster: flag,
      gzip: flag,
      quick: flag,
      write: flag,
      help: flag,
    },
  });
  if (values.help === true) return "help";
  const quick = values.quick === true;
  const names = CONTENDERS.map(({ name }) => name);
  return {
    only: some("--only", values.only, names),
    parts: some("--parts", values.parts, PARTS),
    readers: numbers("--readers", values.readers ?? (quick ? "100,1000" : "100,1000,5000"), 15_000),
    publishers: numbers("--publishers", values.publishers ?? (quick ? "1,16" : "1,16,64"), 1000),
    seconds: numbers("--seconds", values.seconds ?? (quick ? "1" : "2"), 600)[0] ?? 2,
    rounds: numbers("--rounds", values.rounds ?? (quick || values.gzip === true ? "1" : "3"), 20)[0] ?? 3,
    cluster: values.cluster === true,
    gzip: values.gzip === true,
    write: values.write === true || Object.keys(values).every((name) => ENOUGH.includes(name)),
  };
}

function some<Name extends string>(flag: string, text: string | undefined, names: readonly Name[]): readonly Name[] {
  if (text === undefined) return names;
  for (const word of text.split(",")) {
    if (!names.some((name) => name === word)) {
      throw new Error(`${flag} has ${JSON.stringify(word)}; allowed are ${names.join(", ")}`);
    }
  }
  return names.filter((name) => text.split(",").includes(name));
}

function numbers(flag: string, text: string, most: number): readonly number[] {
  return text.split(",").map((word) => {
    const value = /^\d{1,6}$/.test(word) ? Number(word) : 0;
    if (value >= 1 && value <= most) return value;
    throw new Error(`${flag} has ${JSON.stringify(word)}; allowed are whole numbers from 1 to ${most}`);
  });
}
