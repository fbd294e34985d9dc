import { MemoryLog } from "../../src/logs/memory.ts";
import { disposable } from "../support/sample.ts";
import { describeLog } from "./log.suite.ts";

describeLog("a log in memory", async ({ retention, now, elapsed }) =>
  disposable(new MemoryLog(retention, now, elapsed)),
);
