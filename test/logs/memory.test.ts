import { MemoryLog } from "../../src/logs/memory.ts";
import { disposable } from "../support/sample.ts";
import { describeLog } from "./log.suite.ts";

describeLog("a log in memory", async ({ retention, now }) => disposable(new MemoryLog(retention, now)));
