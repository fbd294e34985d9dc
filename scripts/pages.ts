// Makes the scripts of the pages, public/scripts/, from the modules in src/ that they load: without types and comments.
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { dirname, join } from "node:path";

const ROOT = join(import.meta.dirname, "..");
const FOLDERS = ["web", "client", "protocol"];
const TARGET = join(ROOT, "public/scripts");
const IMPORT = /((?:from|import) ?\(?")(\.[^"]+)\.ts(")/g;

for (const folder of FOLDERS) {
  const source = join(ROOT, "src", folder);
  for (const file of readdirSync(source, { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".ts")) continue;
    const script = stripTypeScriptTypes(readFileSync(join(source, file), "utf8"), { mode: "transform" });
    put(join(TARGET, folder, file.replace(/\.ts$/, ".js")), named(script.replace(IMPORT, "$1$2.js$3")));
  }
}

// Browsers know no packages.
function named(script: string): string {
  return script.replace('from "eventsource-parser"', 'from "./eventsource-parser/index.js"');
}

const PARSER = join(TARGET, "protocol/eventsource-parser");
for (const file of ["index", "parse", "errors"]) {
  const path = join(ROOT, `node_modules/eventsource-parser/dist/${file}.js`);
  put(join(PARSER, `${file}.js`), readFileSync(path, "utf8"));
}

/** Writes a file if it differs, in one step: servers that run read it, and the folder may be read-only. */
function put(path: string, text: string): void {
  if (current(path) === text) return;
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, text);
  renameSync(temporary, path);
}

function current(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
