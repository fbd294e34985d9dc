import { setTimeout as pause } from "node:timers/promises";
import { Nodes, ours } from "./nodes.ts";

const PUBLISHERS = 16;
const BEFORE = 1500;
const TRIES = 5;

/** What a failover to a replica has lost. */
export interface LossFigures {
  readonly title: string;
  /** Messages that were acknowledged before the primary was killed, by try. */
  readonly acknowledged: readonly number[];
  /** Those of them that the replica does not have. */
  readonly lost: readonly number[];
}

/** Kills a primary under load, and compares what was acknowledged with what its replica has. */
export async function measureLoss(title: string, settings: readonly string[]): Promise<LossFigures> {
  const acknowledged: number[] = [];
  const lost: number[] = [];
  for (let index = 0; index < TRIES; index += 1) {
    await using nodes = await Nodes.start(ours("", settings), 1, { replica: true });
    const url = `http://127.0.0.1:${nodes.port}/channels/orders/messages`;
    let [count, last] = [0, 0];
    const publish = async (): Promise<void> => {
      for (;;) {
        const response = await fetch(url, { method: "POST", body: "x".repeat(100) }).catch(() => undefined);
        const answer = (await response?.json().catch(() => undefined)) as { readonly id?: string } | undefined;
        if (answer?.id === undefined) return;
        count += 1;
        last = Math.max(last, Number(answer.id.split("-").at(-1)));
      }
    };
    const publishers = Array.from({ length: PUBLISHERS }, publish);
    await pause(BEFORE);
    await nodes.redis[Symbol.asyncDispose]();
    await Promise.all(publishers);
    const head = Number(await nodes.replica?.ask("HGET {hub}:meta head"));
    acknowledged.push(count);
    lost.push(Math.max(0, last - head));
  }
  return { title, acknowledged, lost };
}
