import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { describe, it } from "node:test";

// Plain JavaScript, without types.
const { SECTIONS } = (await import(String(new URL("../scripts/guide-pages.js", import.meta.url)))) as {
  readonly SECTIONS: readonly { readonly title: string; readonly files: readonly string[] }[];
};
const ROOT = join(import.meta.dirname, "..");
const GUIDE = join(ROOT, "public/guide");
const files = readdirSync(GUIDE, { recursive: true, encoding: "utf8" });
const pages = files.filter((file) => file.endsWith(".html"));
const read = (file: string): string => readFileSync(join(GUIDE, file), "utf8");
const listed = SECTIONS.flatMap((section) => section.files);

describe("the guide", () => {
  it("has every page of docs/ in its navigation, once", () => {
    const folders = listed.filter((file) => file.endsWith("/"));
    const markdown = readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" }).filter((file) =>
      file.endsWith(".md"),
    );
    const missing = markdown
      .map((file) => `docs/${file}`)
      .filter((file) => !listed.includes(file) && !folders.some((folder) => file.startsWith(folder)));
    assert.deepEqual(missing, [], "add these to SECTIONS in scripts/guide-pages.js");
    assert.equal(new Set(listed).size, listed.length);
    for (const page of pages) {
      assert.equal(read(page).match(/aria-current="page"/g)?.length, 2, `${page}: once at the side, once in the bar`);
    }
  });

  it("has links that lead to pages, anchors and pictures that are there", () => {
    const anchors = new Map(
      pages.map((page) => [page, new Set([...read(page).matchAll(/ id="([^"]+)"/g)].map(([, id]) => id))]),
    );
    let followed = 0;
    for (const page of pages) {
      for (const [, link = ""] of read(page).matchAll(/(?:href|src|data-index|data-root)="([^"]*)"/g)) {
        if (/^https?:/.test(link)) continue;
        assert.doesNotMatch(link, /^\/|^[a-z]+:/, `${page}: ${link} does not stay below where the server is`);
        const [path = "", anchor] = link.split("#", 2);
        const target = posix.join("guide", posix.dirname(page), path === "" ? posix.basename(page) : path);
        // The other pages of the server.
        if (!target.startsWith("guide/")) continue;
        const name = target.slice("guide/".length);
        const file = [name, `${name}.html`, `${name}index.html`].find(
          (one) => files.includes(one) && /\.\w+$/.test(one),
        );
        assert.ok(file !== undefined, `${page} links to ${link}, which is not there`);
        if (anchor !== undefined) assert.ok(anchors.get(file)?.has(anchor), `${page}: ${link} has no such heading`);
        followed++;
      }
    }
    assert.ok(followed > 500, `only ${followed} links`);
  });

  it("has each page as Markdown whose links lead to Markdown, or to nowhere outside", () => {
    for (const page of pages) {
      const file = page.replace(/html$/, "md");
      const text = read(file).replace(/^```[^]*?^```$|`[^`\n]+`/gm, "");
      for (const [, link = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^https?:|^#/.test(link)) continue;
        const [path = ""] = link.split("#", 1);
        assert.ok(existsSync(join(GUIDE, posix.dirname(file), path)), `${file} links to ${link}`);
        assert.match(path, /\.(?:md|png|svg)$/, file);
      }
    }
  });

  it("has no mark, tag or place of the Markdown and the template left in its text", () => {
    for (const page of pages) {
      const text = read(page).replace(/<(?:pre|code)\b[^]*?<\/(?:pre|code)>/g, "");
      assert.doesNotMatch(text, /&lt;!--|<!--|\{\{\w+\}\}|\]\(|undefined/, page);
    }
  });

  it("shows code in colours, in every language that the pages use", () => {
    const plain = new Set(["caddyfile", "haproxy", "redis", "text"]);
    const used = new Set<string>();
    for (const page of pages) {
      for (const [, language = "", code = ""] of read(page).matchAll(/<code class="language-(\w+)">([^]*?)<\/code>/g)) {
        if (/class="hljs-/.test(code)) used.add(language);
        else if (!plain.has(language)) assert.ok(code.length < 200, `${page}: ${language} has no colours: ${code}`);
      }
    }
    for (const language of ["console", "js", "json", "sh", "ts"]) assert.ok(used.has(language), language);
  });

  it("is listed for models as llmstxt.org has it, and whole in one file", () => {
    const lines = read("llms.txt").split("\n");
    assert.equal(lines[0], "# sse-mcp-server");
    assert.match(lines[2] ?? "", /^> \S/);
    const titles = lines.filter((line) => line.startsWith("## ")).map((line) => line.slice(3));
    assert.deepEqual(titles, ["Start", "Use", "Operate", "Reference", "Optional"]);
    const links = lines.filter((line) => line.startsWith("- "));
    assert.ok(links.length > 10);
    for (const line of links) {
      const [, path = ""] = /^- \[[^\]]+\]\(guide\/([\w/-]+\.md)\)(?:: \S.*)?$/.exec(line) ?? [];
      assert.ok(files.includes(path), line);
    }
    const whole = read("llms-full.txt");
    for (const page of pages) assert.ok(whole.includes(read(page.replace(/html$/, "md"))), page);
  });

  it("finds each heading of each page in what its search reads", () => {
    const parts = JSON.parse(read("search.json")) as { page: string; id: string; heading: string; text: string }[];
    for (const page of pages) {
      const name = page === "index.html" ? "" : page.replace(/\.html$/, "");
      const headings = [...read(page).matchAll(/<h[23] id="([^"]+)"/g)].map(([, id]) => id);
      const own = parts.filter((part) => part.page === name).map(({ id }) => id);
      assert.deepEqual(
        headings.filter((id) => !own.includes(id as string)),
        [],
        page,
      );
    }
  });
});
