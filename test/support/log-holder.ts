import { SqliteLog } from "../../src/logs/sqlite/log.ts";
import { draftOf, FOREVER } from "./sample.ts";

// Opens the log named by its first argument, keeps one message in it, says so, and holds it until it is killed.
const [, , path = ""] = process.argv;
const log = await SqliteLog.open({ path, retention: FOREVER, durability: "normal" });
await log.append(draftOf("a", "held"));
process.stdout.write("open\n");
setInterval(() => {}, 60_000);
