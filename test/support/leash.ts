import { existsSync } from "node:fs";
import { join } from "node:path";

/** The file of a command; undefined if it is not installed. */
export function onPath(name: string): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(":");
  return folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
}

/** A command line that also ends when the process that runs it is killed, if the system can do that (util-linux). */
export function leashed(...words: readonly string[]): [string, ...string[]] {
  const all = onPath("setpriv") === undefined ? words : ["setpriv", "--pdeathsig", "KILL", ...words];
  return all as [string, ...string[]];
}
