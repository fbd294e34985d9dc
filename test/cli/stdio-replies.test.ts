import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import { events, type Place } from "../../src/cli/stdio/replies.ts";

const MIB = 1024 * 1024;
const NEWS = '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}';

describe("what a hub streams to sse-mcp-server stdio", () => {
  it("is given up where a line does not end, after what came before it", async () => {
    let sent = 0;
    async function* bytes(): AsyncGenerator<Buffer> {
      yield Buffer.from(`id: 1\ndata: ${NEWS}\n\ndata: `);
      for (const part = Buffer.alloc(MIB, "x"); sent < 256; sent++) yield part;
    }
    const place: Place = { lastId: "", retry: undefined };
    const texts: string[] = [];
    const read = async (): Promise<void> => {
      const answer = Readable.from(bytes()) as unknown as IncomingMessage;
      for await (const { text } of events(answer, place)) texts.push(text);
    };
    await assert.rejects(read, { code: 502, message: /more than 67108864 bytes in one message/ });
    assert.deepEqual([texts, place.lastId], [[NEWS], "1"]);
    assert.ok(sent < 70, `${sent} MiB were read`);
  });

  it("takes one byte order mark away, and no second one", async () => {
    const texts: string[] = [];
    for (const marks of ["\ufeff", "\ufeff\ufeff"]) {
      const answer = Readable.from([Buffer.from(`${marks}data: ${NEWS}\n\n`)]) as unknown as IncomingMessage;
      for await (const { text } of events(answer)) texts.push(text);
    }
    assert.deepEqual(texts, [NEWS]);
  });
});
