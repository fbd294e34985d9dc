import type { Browser } from "playwright-core";
import type { Authority } from "../support/certificates.ts";
import type { Engine } from "../support/redis.ts";
import { CHECKS, unique, type Check } from "./checks.ts";
import { Gateway } from "./gateway.ts";
import type { GatewayKind } from "./kinds.ts";
import { Nodes } from "./nodes.ts";
import { clientAddresses, emptyStream, manySources, PER_ADDRESS, returning, SourcesPage } from "./one-node.ts";
import { restartNodes } from "./rolling-restart.ts";

/** What all stages are given. */
export interface Bench {
  readonly kinds: readonly GatewayKind[];
  readonly engine: Engine;
  readonly authority: Authority;
  /** Changes of the shipped files that make the stage take less time. */
  readonly adapt: (text: string) => string;
  /** Told what each gateway did, or why it failed. */
  readonly tell: (title: string, kind: GatewayKind, cell: string | Error) => void;
}

export interface Pace {
  /** Seconds between heartbeats. */
  readonly heartbeat: number;
  /** Seconds without a message. */
  readonly quiet: number;
}

export const RESTART_TITLE = "Nodes restarted one by one: messages lost, requests refused";
export const ADDRESSES_TITLE = "Client addresses, forged ones ignored";
export const AWAY_TITLE = "`/events` while no node answers";
export const SOURCES_TITLE = "`EventSource`s in one page of Chromium";
export const RETURNING_TITLE = "`EventSource` while the only node is away";

/** Each gateway in front of the same three nodes. */
export async function threeNodes(bench: Bench, { heartbeat, quiet }: Pace): Promise<void> {
  await using nodes = await Nodes.open(3, `${bench.engine.url}?prefix=checks`, { heartbeat });
  await using gateways = await openAll(bench, nodes);
  const all = async ({ gateway, check }: { gateway: Gateway; check: Check }): Promise<void> => {
    const scene = { gateway, nodes, heartbeat, quiet };
    bench.tell(check.title, gateway.kind, await check.run(scene).catch((error: Error) => explained(error, gateway)));
  };
  await Promise.all(
    gateways.list.map(async (gateway) => {
      for (const check of CHECKS) await all({ gateway, check });
    }),
  );
}

/** The nodes are restarted while readers are there. */
export async function rollingRestart(bench: Bench): Promise<void> {
  // Cut short when all gateways have noticed.
  const options = { drainWait: 60, drain: 1 };
  await using nodes = await Nodes.open(3, `${bench.engine.url}?prefix=restart`, options);
  await using gateways = await openAll(bench, nodes);
  const restarted = await restartNodes(gateways.list, nodes);
  for (const [{ kind }, { messages, published, refused }] of restarted) {
    bench.tell(RESTART_TITLE, kind, `0 of ${messages}, ${refused} of ${published}`);
  }
}

/** Each gateway in front of a node of its own, which goes away at the end. */
export async function oneNode(bench: Bench): Promise<void> {
  await Promise.all(
    bench.kinds.map(async (kind) => {
      await using node = await Nodes.open(1, "memory:", { maxConnectionsPerAddress: PER_ADDRESS });
      await using gateways = await openAll({ ...bench, kinds: [kind] }, node);
      const [gateway] = gateways.list;
      if (gateway === undefined) return;
      for (const [title, check] of [
        [ADDRESSES_TITLE, clientAddresses],
        [AWAY_TITLE, emptyStream],
      ] as const) {
        bench.tell(title, kind, await check({ gateway, node }).catch((error: Error) => explained(error, gateway)));
      }
    }),
  );
}

/** Each gateway in front of a node of its own, with a page of a browser. */
export async function inBrowser(bench: Bench, browser: Browser): Promise<void> {
  await Promise.all(
    bench.kinds.map(async (kind) => {
      // It keeps its messages while it is away.
      const data = `${bench.engine.url}?prefix=${kind.name.replaceAll(" ", "-")}`;
      await using node = await Nodes.open(1, data);
      await using gateways = await openAll({ ...bench, kinds: [kind] }, node);
      const [gateway] = gateways.list;
      if (gateway === undefined) return;
      const channel = unique();
      const page = await SourcesPage.open(browser, gateway, channel);
      try {
        const many = await manySources(page, gateway, channel).catch((error: Error) => explained(error, gateway));
        bench.tell(SOURCES_TITLE, kind, many);
        const back = returning(page, { gateway, node }, channel);
        bench.tell(RETURNING_TITLE, kind, await back.catch((error: Error) => explained(error, gateway)));
      } finally {
        await page.close();
      }
    }),
  );
}

async function openAll(
  { kinds, authority, adapt }: Bench,
  nodes: Nodes,
): Promise<{ readonly list: readonly Gateway[] } & AsyncDisposable> {
  const list: Gateway[] = [];
  const opened = {
    list,
    async [Symbol.asyncDispose](): Promise<void> {
      await Promise.all(list.map((gateway) => gateway.stop()));
    },
  };
  try {
    for (const kind of kinds) {
      const gateway = await Gateway.prepare(kind, nodes.addresses, authority, adapt);
      list.push(gateway);
      await gateway.start();
    }
  } catch (error) {
    await opened[Symbol.asyncDispose]();
    throw error;
  }
  return opened;
}

function explained(error: Error, { output }: Gateway): Error {
  return new Error(`${error.message}\n${output.slice(-2000)}`, { cause: error });
}
