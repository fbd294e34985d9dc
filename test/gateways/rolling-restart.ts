import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import { until } from "../support/until.ts";
import { unique } from "./checks.ts";
import { Follower } from "./follower.ts";
import type { Gateway } from "./gateway.ts";
import type { Nodes } from "./nodes.ts";

/** Readers of each gateway. */
const READERS = 6;
/** Milliseconds between messages. */
const EVERY = 20;
/** Milliseconds for what a busy machine does late. */
const TIMEOUT = 60_000;
/** More readers at once, of which each node is sent some, even if one of them had all that were there before. */
const MORE = 14;

/** What a gateway did while the nodes were restarted. */
export interface Restarted {
  /** Messages that each reader was given, each once and in order. */
  readonly messages: number;
  /** Requests to publish, and those of them that were refused at first. */
  readonly published: number;
  readonly refused: number;
}

/**
 * Restarts the nodes, which have a long `DRAIN_WAIT`, one after the other, while readers of all gateways read what is published through all of them.
 * The gateways that ask nodes how they are must send no one to a node while it drains, and send readers again when it
 * is back.
 */
export async function restartNodes(
  gateways: readonly Gateway[],
  nodes: Nodes,
): Promise<ReadonlyMap<Gateway, Restarted>> {
  const channel = unique();
  const followers = gateways.flatMap((gateway) =>
    Array.from({ length: READERS }, () => new Follower(gateway, channel)),
  );
  const counts = new Map(gateways.map((gateway) => [gateway, { published: 0, refused: 0 }]));
  const over = new AbortController();
  let sent = 0;
  const publishing = (async (): Promise<void> => {
    for (; !over.signal.aborted; sent++) {
      const gateway = gateways[sent % gateways.length];
      const count = gateway && counts.get(gateway);
      if (gateway === undefined || count === undefined) break;
      count.published++;
      if (!(await publish(gateway, channel, sent))) count.refused++;
      await wait(EVERY);
    }
  })();
  try {
    await until("all read", () => followers.every(({ data }) => data.length > 0), TIMEOUT);
    for (const index of nodes.ports.keys()) await restart(gateways, nodes, index);
    over.abort();
    await publishing;
    await until("all read all", () => followers.every(({ data }) => data.length >= sent), TIMEOUT);
  } finally {
    over.abort();
    await Promise.allSettled([publishing, ...followers.map((follower) => follower.stop())]);
  }
  const all = Array.from({ length: sent }, (_, n) => String(n));
  for (const { gateway, data, gaps } of followers) {
    assert.deepEqual([data, gaps], [all, 0], `a reader of ${gateway.kind.name}`);
  }
  return new Map([...counts].map(([gateway, count]) => [gateway, { messages: sent, ...count }]));
}

/** Restarts one node; resolves when all gateways send it readers again. */
async function restart(gateways: readonly Gateway[], nodes: Nodes, index: number): Promise<void> {
  const noticed = new AbortController();
  const drained = nodes.server(index).drain(noticed.signal);
  await Promise.all(
    gateways
      .filter(({ kind }) => kind.checksHealth)
      .map((gateway) =>
        until(
          `${gateway.kind.name} sends no one to a node that drains`,
          async () => (await sentTo(gateway, nodes, index)) === 0,
          TIMEOUT,
        ),
      ),
  );
  noticed.abort();
  await drained;
  await nodes.stop(index);
  await nodes.start(index);
  await Promise.all(
    gateways.map((gateway) =>
      until(
        `${gateway.kind.name} sends readers to a node that is back`,
        async () => (await sentTo(gateway, nodes, index)) > 0,
        TIMEOUT,
      ),
    ),
  );
}

/** Publishes, again and again if it is refused; resolves with whether it was taken at once. */
async function publish(gateway: Gateway, channel: string, n: number): Promise<boolean> {
  const key = { "idempotency-key": `"${channel}-${n}"` };
  const attempt = (): Promise<boolean> =>
    gateway.publish(channel, String(n), key).then(
      (status) => status === 201 || status === 200,
      () => false,
    );
  if (await attempt()) return true;
  await until(`message ${n} is taken by ${gateway.kind.name}`, attempt);
  return false;
}

/** How many of more readers a gateway sends to a node. */
async function sentTo(gateway: Gateway, nodes: Nodes, index: number): Promise<number> {
  const channels = Array.from({ length: MORE }, unique);
  const readers: Disposable[] = [];
  try {
    for (const channel of channels) readers.push(await gateway.events(`?channel=${channel}`));
    return channels.filter((channel) => nodes.nodeOf(channel) === index).length;
  } finally {
    for (const reader of readers) reader[Symbol.dispose]();
  }
}
