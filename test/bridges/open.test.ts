import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import type { Bus, BusKind } from "../../src/bridges/bus.ts";
import { Bridges } from "../../src/bridges/open.ts";
import type { InRule, OutRule } from "../../src/bridges/rules.ts";
import { LocalStore } from "../../src/logs/local-store.ts";
import { MemoryLog } from "../../src/logs/memory.ts";
import { FOREVER, openHub } from "../support/sample.ts";

const NEVER = new Promise<never>(() => {});

/** A bus that connects, delivers nothing, and does not answer when it is closed. */
const SILENT: Bus<InRule, OutRule> = {
  source: async () => ({
    // eslint-disable-next-line require-yield -- it has no messages
    async *batches() {
      await NEVER;
    },
    close: () => NEVER,
  }),
  target: () => NEVER,
  sample: async () => undefined,
  lost: NEVER,
  close: () => NEVER,
};

describe("the bridges of a server", () => {
  it("do not keep it from stopping if a bus does not answer", async () => {
    const log = new MemoryLog(FOREVER);
    await using hub = await openHub(log);
    let connected = (): void => {};
    const isConnected = new Promise<void>((resolve) => (connected = resolve));
    const kind: BusKind<unknown, InRule, OutRule> = {
      connection: z.unknown(),
      in: z.object({}),
      out: z.object({}),
      destination: "",
      names: [],
      prefixes: ["ce_"],
      isExclusive: () => false,
      connect: async () => {
        connected();
        return SILENT;
      },
    };
    const rule: InRule = { channel: "a", encoding: "auto", sanitize: false, onError: "skip" };
    const config = { name: "silent", kind: "silent", connection: "", in: [rule], out: [], required: false };
    const shared = new LocalStore();
    const waits: number[] = [];
    const wait = async (milliseconds: number): Promise<void> => void waits.push(milliseconds);
    const server = { hub, shared, records: log.records, hubId: "h", publicUrl: "", maxBytes: 1000, wait };
    const bridges = new Bridges([{ config, kind }], { ...server, log: { info: () => {}, warn: () => {} } });
    bridges.start();
    await isConnected;
    await bridges.close();
    assert.deepEqual(waits, [5000]);
    assert.equal(bridges.status()[0]?.state === "closed", false, "it is left behind");
    shared.close();
  });
});
