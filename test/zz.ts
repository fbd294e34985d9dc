import { readFileSync } from "node:fs";
import { check } from "./chaos/checker.ts";
const v = check(readFileSync("/tmp/chaos/2019.ndjson", "utf8").trim().split("\n").map((l) => JSON.parse(l)));
console.log({ ...v, violations: v.violations.slice(0, 5) });
