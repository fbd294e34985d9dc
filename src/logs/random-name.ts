import { randomBytes } from "node:crypto";

/** A new name of a node or an epoch: 10 lower-case letters and digits. */
export function randomName(): string {
  return randomBytes(5).toString("hex");
}
