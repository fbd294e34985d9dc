import { ENGINE_FAULTS, NODE_FAULTS, type Fault } from "./faults.ts";
import { Random } from "./random.ts";
import type { WorldKind } from "./world.ts";

/** A fault that is to happen. */
export interface Planned {
  /** Milliseconds since the start. */
  readonly at: number;
  readonly name: string;
  readonly fault: Fault;
  /** Chooses what it hits, and how long. */
  readonly random: Random;
}

/** Milliseconds in which faults begin. */
const WINDOW = 7000;
const MOST = 5;

/** The faults of a seed, in their order. */
export function planFaults(seed: number, kind: WorldKind, only: readonly string[] = []): readonly Planned[] {
  const random = new Random(seed);
  const kinds = Object.entries({ ...NODE_FAULTS, ...(kind === "file" ? {} : ENGINE_FAULTS) });
  const asked = kinds.filter(([name]) => only.length === 0 || only.includes(name));
  const count = random.between(2, MOST);
  const planned = Array.from({ length: count }, () => {
    const [name, fault] = random.of(asked);
    return { at: random.between(0, WINDOW), name, fault, random: random.fork() };
  });
  return planned.sort((one, other) => one.at - other.at);
}
