import { ToolSet } from "../../src/tools/index.ts";
import { Hub } from "../../src/core/hub.ts";
import { Participants } from "../../src/core/participants.ts";
import { Questions } from "../../src/core/questions.ts";
import { LocalStore } from "../../src/logs/local-store.ts";
import { MemoryRecords } from "../../src/logs/memory-records.ts";
import { MemoryLog } from "../../src/logs/memory.ts";
import { hubCatalog, type McpContext } from "../../src/mcp/catalog.ts";
import type { Extras } from "../../src/mcp/definitions.ts";
import { RequestStates } from "../../src/mcp/request-state.ts";
import { Sealer } from "../../src/core/seal.ts";

/** What both eras answer with, on a hub of its own. */
export async function mcpContext(extras: Extras = {}): Promise<McpContext & AsyncDisposable> {
  const hub = await Hub.open(new MemoryLog({ age: 1e9, messages: 1e6, bytes: 1e9, channels: 1e5 }), {
    maxPendingTotal: 1e9,
    maxPending: 1e6,
    page: 256,
    endOfTurn: setImmediate,
    writesPerMessage: 128,
  });
  const shared = new LocalStore();
  const questions = new Questions({ records: new MemoryRecords(), shared, publish: (draft) => hub.publish(draft) });
  return {
    hub,
    questions,
    participants: new Participants("test"),
    limits: { message: 65_536, channels: 100 },
    info: () => {
      throw new Error("nobody asks");
    },
    catalog: hubCatalog(new ToolSet(), extras),
    pageUrl: () => "",
    states: new RequestStates(new Sealer()),
    serverInfo: { name: "test", title: "Test", version: "0" },
    async [Symbol.asyncDispose]() {
      await questions.close();
      await hub.close();
      shared.close();
    },
  };
}
