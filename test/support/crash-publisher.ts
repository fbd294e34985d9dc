import { writeSync } from "node:fs";
import { SqliteLog } from "../../src/logs/sqlite/log.ts";
import { draftOf, FOREVER } from "./sample.ts";

// Publishes into the log named by its first argument with 16 publishers, and writes a line for each acknowledgement,
// until it is killed. A publisher counts on from where its second argument says: 16 numbers joined by commas.
const [, , path = "", counts = ""] = process.argv;
const log = await SqliteLog.open({ path, retention: FOREVER, durability: "normal" });
writeSync(1, "open\n");

async function publish(publisher: number, from: number): Promise<never> {
  for (let count = from; ; count++) {
    const {
      message: { offset },
    } = await log.append(draftOf(`p.${publisher % 4}`, [publisher, count], { key: `${publisher}-${count}` }));
    writeSync(1, `${offset} ${publisher} ${count}\n`);
  }
}

await Promise.all(counts.split(",").map((from, publisher) => publish(publisher, Number(from))));
