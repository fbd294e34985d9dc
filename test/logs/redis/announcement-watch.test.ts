import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AnnouncementWatch } from "../../../src/logs/redis/announcement-watch.ts";
import { until } from "../../support/until.ts";

/** A watch over a subscription, with how often it asked for an announcement and subscribed again. */
function watchOver(connection: { isListening: boolean }, ping: () => Promise<void>) {
  const counts = { pings: 0, resubscriptions: 0 };
  const reports: string[] = [];
  const watch = new AnnouncementWatch({
    engine: {
      ping: () => {
        counts.pings++;
        return ping();
      },
    },
    connection: {
      get isListening() {
        return connection.isListening;
      },
      resubscribe: () => void counts.resubscriptions++,
    },
    report: (sentence) => void reports.push(sentence),
  });
  return { watch, counts, reports };
}

/** Checks until something holds, as happens once a second. */
async function checkUntil(what: string, watch: AnnouncementWatch, holds: () => boolean): Promise<void> {
  await until(what, async () => {
    await watch.check();
    return holds();
  });
}

describe("the watch over announcements", { concurrency: true }, () => {
  it("leaves a subscription alone if its announcement comes before the answer to the ping", async () => {
    const { watch, counts } = watchOver({ isListening: true }, async () => watch.heard());
    await checkUntil("it asked three times", watch, () => counts.pings === 3);
    assert.equal(counts.resubscriptions, 0);
  });

  it("subscribes again when what it asked for does not come", async () => {
    const { watch, counts, reports } = watchOver({ isListening: true }, async () => {});
    await checkUntil("it subscribes again", watch, () => counts.resubscriptions === 1);
    assert.equal(counts.pings, 1);
    assert.deepEqual(reports, ["announcements of Redis do not arrive: subscribing again"]);
  });

  it("asks for nothing while a subscription is being made, and makes another only if that takes long", async () => {
    const connection = { isListening: false };
    const { watch, counts } = watchOver(connection, async () => {});
    await checkUntil("it counts as broken", watch, () => watch.isBroken);
    assert.deepEqual(counts, { pings: 0, resubscriptions: 0 });
    await checkUntil("it subscribes again", watch, () => counts.resubscriptions === 1);
    assert.equal(counts.pings, 0);
    connection.isListening = true;
    await checkUntil("it asks", watch, () => counts.pings === 1);
  });
});
