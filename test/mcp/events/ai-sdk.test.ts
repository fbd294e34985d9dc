import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { describe, it } from "node:test";
import {
  createMCPClient,
  experimental_createMCPEventWebhook as createWebhook,
  type Experimental_MCPEvent as MCPEvent,
  type Experimental_MCPEventStore as MCPEventStore,
  type Experimental_MCPEventSubscription as MCPEventSubscription,
} from "@ai-sdk/mcp";
import { KeyRing } from "../../support/keys.ts";
import { draftOf } from "../../support/sample.ts";
import { startServer } from "../../support/server.ts";
import { until } from "../../support/until.ts";

/** What a program keeps of its subscriptions; the SDK asks for one. */
function memoryStore(): MCPEventStore & { readonly all: Map<string, MCPEventSubscription> } {
  const all = new Map<string, MCPEventSubscription>();
  return {
    all,
    get: async (key) => all.get(key),
    getById: async (id) => [...all.values()].find((one) => one.id === id),
    set: async (subscription) => void all.set(subscription.key, subscription),
    update: async (key, patch) => {
      const before = all.get(key);
      if (before !== undefined) all.set(key, { ...before, ...patch });
    },
    delete: async (key) => void all.delete(key),
  };
}

describe("the AI SDK as a client of events", { concurrency: true }, () => {
  for (const era of ["2026-07-28", "a session"] as const) {
    it(`[EVENTS-16] subscribes over ${era}, is sent events, renews, and unsubscribes`, async () => {
      using ring = new KeyRing();
      const key = ring.add("ada", { subscribe: ["orders.*"] });
      await using server = await startServer({ apiKeysFile: ring.path, webhookAllow: ["127.0.0.0/8"] });
      const store = memoryStore();
      const events: MCPEvent[] = [];
      const errors: unknown[] = [];
      const handle = createWebhook({
        store,
        onEvent: async ({ event }) => void events.push(event),
        onError: (error) => errors.push(error),
      });
      const endpoint = createServer((request, response) => {
        void (async () => {
          const headers = new Headers(request.headers as Record<string, string>);
          const body = new Uint8Array(await buffer(request));
          const url = `http://127.0.0.1${request.url ?? ""}`;
          const answer = await handle(new Request(url, { method: "POST", headers, body }));
          response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text());
        })();
      });
      await new Promise<void>((resolve) => endpoint.listen(0, "127.0.0.1", resolve));
      const client = await createMCPClient({
        transport: { type: "http", url: `${server.url}/mcp`, headers: { authorization: `Bearer ${key}` } },
        protocolVersionDiscovery: era === "2026-07-28",
        experimental_events: { store },
      });
      try {
        const url = `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/callback`;
        const made = await client.experimental_events.subscribe({
          name: "message.published",
          arguments: { channels: ["orders.*"] },
          delivery: { mode: "webhook", url, allowInsecureLocalhost: true },
        });
        const { id } = await server.hub.publish(draftOf("orders.eu", { order: 7 }, { sender: "shop" }));
        await until("the event came", () => events.length === 1);
        assert.partialDeepStrictEqual(events[0], {
          eventId: id,
          name: "message.published",
          data: { channel: "orders.eu", sender: "shop", data: { order: 7 } },
        });
        await until("its cursor is kept", () => [...store.all.values()][0]?.cursor === id);
        const renewed = await client.experimental_events.refresh({ id: made.id });
        assert.deepEqual([renewed.id, renewed.truncated], [made.id, false]);
        const next = await server.hub.publish(draftOf("orders.us", "a text"));
        await until("the next came", () => events.length === 2);
        assert.equal(events[1]?.eventId, next.id);
        await client.experimental_events.unsubscribe({ id: made.id });
        assert.equal(store.all.size, 0);
        assert.deepEqual(errors, []);
      } finally {
        await client.close();
        endpoint.closeAllConnections();
        endpoint.close();
      }
    });
  }
});
