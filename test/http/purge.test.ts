import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KeyRing } from "../support/keys.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";

const path = (channel: string): string => `/channels/${channel}/messages`;

async function dataOf(server: TestServer, channel: string): Promise<unknown[]> {
  const { messages } = (await server.request(path(channel))).json() as { messages: { data: unknown }[] };
  return messages.map(({ data }) => data);
}

describe("DELETE /channels/{channel}/messages", { concurrency: true }, () => {
  it("[OPS-27] removes what is kept, or what came before an id, and stays so after a restart", async () => {
    using folder = new TemporaryFolder();
    const data = `file:${folder.file()}`;
    let last = "";
    {
      await using server = await startServer({ data });
      for (const number of [1, 2, 3]) last = (await server.publish("orders.eu", number)).id;
      await server.publish("orders.us", 4);
      const older = await server.request(`${path("orders.eu")}?before=${last}`, { method: "DELETE" });
      assert.deepEqual([older.status, older.json()], [200, { channel: "orders.eu", messages: 2 }]);
      assert.deepEqual(await dataOf(server, "orders.*"), [3, 4]);
      const all = await server.request(path("orders.eu"), { method: "DELETE" });
      assert.deepEqual(all.json(), { channel: "orders.eu", messages: 1 });
    }
    await using server = await startServer({ data });
    assert.deepEqual(await dataOf(server, "orders.*"), [4]);
    using reader = await server.events(`?channel=orders.eu&last_event_id=${last.replace(/3$/, "2")}`);
    assert.equal((await reader.next()).event, "gap");
    const { id } = await server.publish("orders.eu", 5);
    assert.match(id, /-5$/);
  });

  it("[OPS-27] is for admins, and hub.audit says who did it", async () => {
    using ring = new KeyRing();
    const admin = { authorization: `Bearer ${ring.add("operator", { admin: true })}` };
    const other = { authorization: `Bearer ${ring.add("orders", { publish: ["*"], subscribe: ["*"] })}` };
    await using server = await startServer({ apiKeysFile: ring.path });
    using audit = await server.events("?channel=hub.audit&format=json", { headers: admin });
    await server.request(path("a"), { method: "POST", body: "x", headers: other });
    assert.equal((await server.request(path("a"), { method: "DELETE", headers: other })).status, 403);
    assert.equal((await server.request(path("a"), { method: "DELETE", headers: admin })).status, 200);
    const { data } = JSON.parse((await audit.next()).data) as { data: Record<string, unknown> };
    assert.deepEqual(
      [data["action"], data["by"], data["reason"]],
      ["channel_purged", "operator", "the messages of a were removed: 1"],
    );
  });

  it("refuses patterns, the server's own channels and what it does not know", async () => {
    await using server = await startServer();
    for (const [target, code] of [
      [path("orders.*"), "INVALID_CHANNEL"],
      [path("hub.audit"), "INVALID_CHANNEL"],
      [`${path("a")}?before=latest`, "INVALID_INPUT"],
      [`${path("a")}?after=x`, "INVALID_INPUT"],
    ] as const) {
      const answer = await server.request(target, { method: "DELETE" });
      assert.deepEqual([answer.status, (answer.json() as { code: string }).code], [400, code], target);
    }
  });
});
