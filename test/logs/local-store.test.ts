import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LocalStore } from "../../src/logs/local-store.ts";

describe("the shared store of one node", () => {
  it("drops the value written longest ago when there are too many, and none that is kept for good", async () => {
    const store = new LocalStore();
    await store.getOrSet("secret", "kept");
    await store.set("old", "1", 60_000);
    await store.set("used", "1", 60_000);
    for (let at = 0; at < 99_997; at++) await store.set(`value ${at}`, "1", 60_000);
    await store.set("used", "2", 60_000);
    await store.increment("count", 1, 60_000);
    assert.deepEqual(await Promise.all(["secret", "old", "used", "value 0", "count"].map((key) => store.get(key))), [
      "kept",
      undefined,
      "2",
      "1",
      "1",
    ]);
    store.close();
  });
});
