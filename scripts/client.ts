// Builds packages/client/dist, the client library as a package of its own: one file with what it needs, and its types.
// `npm run compile` has compiled the types before. Writes the licences of what is in bundles, too: the client's into its
// package, those of the pages' scripts into THIRD-PARTY.txt.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { build } from "esbuild";
import { bundledIn, notices } from "./bundled.ts";

const ROOT = join(import.meta.dirname, "..");
const DIST = join(ROOT, "dist");
const OUT = join(ROOT, "packages/client/dist");

rmSync(OUT, { recursive: true, force: true });
await build({
  absWorkingDir: ROOT,
  entryPoints: { client: "src/client/index.ts" },
  outdir: OUT,
  bundle: true,
  format: "esm",
  target: ["chrome100", "firefox100", "safari16", "node20"],
  // Readable, since bundlers of whoever uses it make it small; `/client.js` of the hub is.
  minify: false,
  sourcemap: true,
  sourcesContent: true,
  logLevel: "warning",
});
const types = reachable(join(DIST, "client/index.d.ts"));
for (const file of types) {
  const target = join(OUT, "types", relative(DIST, file));
  mkdirSync(dirname(target), { recursive: true });
  // Compilers before TypeScript 5 do not know the endings of sources.
  writeFileSync(target, readFileSync(file, "utf8").replaceAll(/(from "\.[^"]+)\.ts"/g, '$1.js"'));
}
writeFileSync(join(OUT, "THIRD-PARTY.txt"), notices(bundledIn("packages/client/dist")));
writeFileSync(join(ROOT, "THIRD-PARTY.txt"), notices(bundledIn("public/scripts", "public/client")));

/** The declarations that these ones import, and they themselves. */
function reachable(file: string, found = new Set<string>()): ReadonlySet<string> {
  if (found.has(file)) return found;
  found.add(file);
  for (const [, specifier = ""] of readFileSync(file, "utf8").matchAll(/\bfrom "([^"]+)"/g)) {
    if (!specifier.startsWith(".")) throw new Error(`${file} needs the types of ${specifier}, which no one would have`);
    reachable(join(dirname(file), specifier.replace(/\.ts$/, ".d.ts")), found);
  }
  return found;
}
