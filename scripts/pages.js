// Builds what browsers load, below public/: the HTML of the pages (pages/), their scripts (scripts/), the client library
// (client/), the views for MCP clients (views/), the guide (guide/) and Swagger UI (api/). With `--watch` it builds again after every change. In plain
// JavaScript, since `npm ci` and `npm start` may run it with an older Node.
import {
  mkdirSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const SCRIPTS = join(ROOT, "public/scripts");
const CLIENT = join(ROOT, "public/client");
const HTML = join(ROOT, "public/pages");
const GUIDE = join(ROOT, "public/guide");
const API = join(ROOT, "public/api");
const VIEWS = join(ROOT, "public/views");
/** Brotli at 9: its best, 11, takes thirty times as long for a tenth less. */
const COMPRESS = {
  br: (bytes) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }),
  gz: (bytes) => gzipSync(bytes, { level: 9 }),
};

const esbuild = await import("esbuild").catch(() => undefined);
if (esbuild !== undefined) {
  const builds = [scripts(), client(), views(), html()];
  put(API, await swaggerUi());
  if (process.argv.includes("--watch")) {
    const contexts = await Promise.all(builds.map((options) => esbuild.context(options)));
    for (const context of contexts) await context.watch();
    watch(join(ROOT, "docs"), { recursive: true }, () => void contexts.at(-1).rebuild());
  } else for (const options of builds) await esbuild.build(options);
} else if (![SCRIPTS, CLIENT, HTML, GUIDE, API, VIEWS].every(existsSync)) {
  process.stderr.write(
    "sse-mcp-server: the pages are not built, and esbuild, which builds them, is not installed; run npm ci without --omit=dev\n",
  );
  process.exitCode = 1;
}

/** One script a page; what they share is in chunks, whose names say what is in them. */
function scripts() {
  return {
    ...common(SCRIPTS),
    entryPoints: {
      start: join(ROOT, "src/web/start/page.tsx"),
      chat: join(ROOT, "src/web/chat/page.tsx"),
      dashboard: join(ROOT, "src/web/dashboard/page.tsx"),
      login: join(ROOT, "src/web/login/page.tsx"),
      guide: join(ROOT, "src/web/guide/page.tsx"),
      api: join(ROOT, "src/web/api/page.ts"),
      uplot: fileURLToPath(import.meta.resolve("uplot/dist/uPlot.min.css")),
    },
    splitting: true,
    chunkNames: "shared-[hash]",
  };
}

/** The library as one file, for whoever has no bundler. */
function client() {
  return { ...common(CLIENT), entryPoints: { client: join(ROOT, "src/client/index.ts") } };
}

/** What MCP clients show: each view is one file, since nothing can be loaded from where they show it. */
function views() {
  const STYLES = ["shared", "questions", "view"];
  const one = ({ path, text }) => {
    const styles = STYLES.map((style) => readFileSync(join(ROOT, `public/${style}.css`), "utf8")).join("\n");
    const policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:";
    const page =
      '<!doctype html><html lang="en"><head><meta charset="utf-8">' +
      `<meta http-equiv="Content-Security-Policy" content="${policy}">` +
      '<meta name="viewport" content="width=device-width, initial-scale=1"><title>sse-mcp-server</title>' +
      `<style>${styles.replaceAll("</", "<\\/")}</style></head><body><main id="view"></main>` +
      // esbuild writes `</script` as `<\/script`.
      `<script type="module">${text}</script></body></html>\n`;
    return { path: path.replace(/\.js$/, ".html"), contents: Buffer.from(page) };
  };
  const entryPoints = {
    question: join(ROOT, "src/web/views/question.tsx"),
    channel: join(ROOT, "src/web/views/channel.tsx"),
  };
  return { ...common(VIEWS, (files) => files.map(one)), entryPoints, sourcemap: false };
}

/** What the pages show before their scripts are there: rendered here, from the same components. And the guide. */
function html() {
  const render = async ([{ text }]) => {
    const { prerendered } = await import(`data:text/javascript,${encodeURIComponent(text)}`);
    const { "guide.html": template, ...pages } = prerendered();
    const { guide } = await import("./guide.js");
    put(
      GUIDE,
      (await guide(template)).map(({ path, contents }) => ({ path: join(GUIDE, path), contents })),
    );
    return Object.entries(pages).map(([file, page]) => ({ path: join(HTML, file), contents: Buffer.from(page) }));
  };
  const entryPoints = { prerender: join(ROOT, "src/web/prerender.tsx") };
  return { ...common(HTML, render), entryPoints, sourcemap: false };
}

/** What shows `/openapi.json`: Swagger UI without its own page, and compressed, since that takes long when it is asked for. */
async function swaggerUi() {
  const folder = dirname(fileURLToPath(import.meta.resolve("@fastify/swagger-ui/static/swagger-ui.css")));
  const files = ["swagger-ui-bundle.js", "swagger-ui.css"].map((file) => ({
    path: join(API, file),
    contents: readFileSync(join(folder, file)),
  }));
  const isNew = ({ path, contents }) =>
    !existsSync(`${path}.br`) || !existsSync(path) || !readFileSync(path).equals(contents);
  const compressed = files.flatMap((file) =>
    Object.entries(COMPRESS).map(([ending, compress]) => {
      const path = `${file.path}.${ending}`;
      return { path, contents: isNew(file) ? compress(file.contents) : readFileSync(path) };
    }),
  );
  const notice = "Swagger UI, https://github.com/swagger-api/swagger-ui, under the Apache License 2.0.\n";
  return [...files, ...compressed, { path: join(API, "NOTICE.txt"), contents: Buffer.from(notice) }];
}

function common(outdir, made = (files) => files) {
  return {
    absWorkingDir: ROOT,
    tsconfig: join(ROOT, "tsconfig.web.json"),
    outdir,
    bundle: true,
    format: "esm",
    minify: true,
    sourcemap: true,
    target: ["chrome100", "firefox100", "safari16", "node20"],
    logLevel: "warning",
    write: false,
    plugins: [
      {
        name: "put",
        setup: (build) =>
          build.onEnd(async ({ outputFiles, errors }) => {
            if (errors.length === 0) put(outdir, await made(outputFiles));
          }),
      },
    ],
  };
}

/** Writes what differs, each file in one step: servers that run read them, and the folder may be read-only. */
function put(folder, files) {
  for (const { path, contents } of files) {
    if (existsSync(path) && readFileSync(path).equals(contents)) continue;
    mkdirSync(dirname(path), { recursive: true });
    const temporary = `${path}.${process.pid}`;
    writeFileSync(temporary, contents);
    renameSync(temporary, path);
  }
  const paths = new Set(files.map(({ path }) => path));
  if (paths.size === 0 || !existsSync(folder)) return;
  for (const name of readdirSync(folder, { recursive: true })) {
    const path = join(folder, name);
    if (!paths.has(path) && statSync(path).isFile()) rmSync(path);
  }
}
