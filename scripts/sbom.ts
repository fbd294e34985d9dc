import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
import { bundledIn, type Bundled } from "./bundled.ts";

/** As much of CycloneDX as is changed here. */
interface Bom {
  readonly metadata: { readonly component: { readonly "bom-ref": string } };
  readonly components: { readonly "bom-ref": string }[];
  readonly dependencies: { readonly ref: string; readonly dependsOn: string[] }[];
}

interface Lock {
  readonly name: string;
  readonly devDependencies?: unknown;
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly devOptional?: boolean }>>;
}

/** The bill of materials of the server, as JSON: what is installed with it, and what is in the scripts of its pages. */
export async function serverBom(root: string): Promise<string> {
  const bom = JSON.parse(await installedBom(root)) as Bom;
  return checked(withBundled(bom, bundledIn("public/scripts", "public/client")));
}

/**
 * What npm says of the lock file without what is for development. It is taken out here, since `npm sbom --omit dev`
 * leaves out every package that one for development needs as well, such as zod.
 */
async function installedBom(root: string): Promise<string> {
  const read = (file: string): Lock => JSON.parse(readFileSync(join(root, file), "utf8")) as Lock;
  const { devDependencies: _, ...manifest } = read("package.json");
  const { packages, ...lock } = read("package-lock.json");
  const kept = Object.entries(packages).filter(([, { dev, devOptional }]) => dev !== true && devOptional !== true);
  const { devDependencies: __, ...own } = packages[""] as object & { devDependencies?: unknown };
  await using parent = await mkdtempDisposable(join(tmpdir(), "sbom-"));
  // npm names the whole after its folder.
  const folder = join(parent.path, manifest.name);
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  const all = { ...Object.fromEntries(kept), "": own };
  writeFileSync(join(folder, "package-lock.json"), JSON.stringify({ ...lock, packages: all }));
  const words = ["sbom", "--sbom-format", "cyclonedx", "--package-lock-only"];
  return execFileSync("npm", words, { cwd: folder, encoding: "utf8", maxBuffer: 2 ** 26 });
}

/** The bill of materials of the client, as JSON. */
export async function clientBom(root: string): Promise<string> {
  const { name, version, description } = JSON.parse(
    readFileSync(join(root, "packages/client/package.json"), "utf8"),
  ) as Record<"name" | "version" | "description", string>;
  const own = { ...component({ name, version, license: "MIT" }), description };
  const bom = {
    $schema: "http://cyclonedx.org/schema/bom-1.5.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    serialNumber: `urn:uuid:${crypto.randomUUID()}`,
    version: 1,
    metadata: { timestamp: new Date().toISOString(), lifecycles: [{ phase: "build" }], component: own },
    components: [],
    dependencies: [{ ref: own["bom-ref"], dependsOn: [] }],
  };
  return checked(withBundled(bom, bundledIn("packages/client/dist")));
}

/** Adds what is in bundles, which npm does not know. */
function withBundled(bom: Bom, bundled: readonly Bundled[]): Bom {
  const own = bom.metadata.component["bom-ref"];
  for (const one of bundled) {
    const added = component(one);
    const ref = added["bom-ref"];
    if (bom.components.some((known) => known["bom-ref"] === ref)) continue;
    bom.components.push(added);
    bom.dependencies.push({ ref, dependsOn: [] });
    bom.dependencies.find((known) => known.ref === own)?.dependsOn.push(ref);
  }
  return bom;
}

function component({ name, version, license }: Pick<Bundled, "name" | "version" | "license">) {
  return {
    "bom-ref": `${name}@${version}`,
    type: "library",
    name,
    version,
    purl: `pkg:npm/${name.replace("@", "%40")}@${version}`,
    licenses: [{ license: { id: license } }],
  };
}

async function checked(bom: Bom): Promise<string> {
  const text = `${JSON.stringify(bom, undefined, 2)}\n`;
  const faults = await new Validation.JsonStrictValidator(Spec.Version.v1dot5).validate(text);
  if (faults !== null) throw new Error(`The bill of materials is not valid CycloneDX: ${JSON.stringify(faults)}`);
  return text;
}
