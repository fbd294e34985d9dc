import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const ROOT = join(import.meta.dirname, "..");

/** A package of which parts are in a bundle. */
export interface Bundled {
  readonly name: string;
  readonly version: string;
  /** An SPDX id. */
  readonly license: string;
  readonly licenseText: string;
}

/** The packages in the bundles of folders, by the source maps beside them, sorted by name. */
export function bundledIn(...folders: readonly string[]): readonly Bundled[] {
  const names = new Set<string>();
  for (const map of globSync(
    folders.map((folder) => `${folder}/*.map`),
    { cwd: ROOT },
  )) {
    const { sources } = JSON.parse(readFileSync(join(ROOT, map), "utf8")) as { sources: readonly string[] };
    for (const source of sources) {
      const [, name] = /\/node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*\/node_modules\/)/.exec(source) ?? [];
      if (name !== undefined) names.add(name);
    }
  }
  return [...names].toSorted().map((name) => {
    const home = resolve(ROOT, "node_modules", name);
    const manifest = JSON.parse(readFileSync(join(home, "package.json"), "utf8")) as Omit<Bundled, "licenseText">;
    const [file] = globSync("LICENSE*", { cwd: home });
    if (file === undefined) throw new Error(`${name} is in a bundle and has no file LICENSE to go with it`);
    return { ...manifest, name, licenseText: readFileSync(join(home, file), "utf8").trim() };
  });
}

/** The licences that bundles have to be accompanied by, as a text. */
export function notices(bundled: readonly Bundled[]): string {
  return bundled
    .map(({ name, version, licenseText }) => `${name} ${version}\n\n${licenseText}\n`)
    .join(`\n${"-".repeat(80)}\n\n`);
}
