// Builds the guide from the Markdown of the repository: HTML pages, the same pages as Markdown, the index of its search,
// and llms.txt.
// In plain JavaScript, since `npm ci` may run it with an older Node.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { placeOf, SECTIONS } from "./guide-pages.js";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const LANGUAGES = {
  bash: ["sh", "bash"],
  css: ["css"],
  dockerfile: ["dockerfile"],
  go: ["go"],
  ini: ["ini", "toml"],
  javascript: ["js", "jsx", "mjs"],
  json: ["json"],
  nginx: ["nginx"],
  python: ["py", "python"],
  shell: ["console"],
  sql: ["sql"],
  typescript: ["ts", "tsx"],
  xml: ["html"],
  yaml: ["yaml", "yml"],
};

/** What a page says before its first command for a terminal. */
const NOTE = "*In a checkout, run `npm start --` in place of `sse-mcp-server`.*\n";
/** Pages that say it in their own words. */
const SAYS_HOW_TO_RUN = ["README.md", "docs/install.md"];

/** The files of the guide, with their paths in it. `template` is the HTML of a page, with placeholders in double braces. */
export async function guide(template) {
  const markdown = await parser();
  const pages = SECTIONS.flatMap(({ title, files: own }) => own.flatMap((file) => pagesOf(title, file)));
  const byFile = new Map(pages.map((page) => [page.file, page]));
  const files = new Map();
  const found = [];
  for (const page of pages) {
    const resolve = (target) => linkOf(target, page, byFile, files);
    const tokens = withNote(markdown.parse(page.source, { resolve }), page.file, () =>
      markdown.parse(NOTE, { resolve }),
    );
    Object.assign(page, { tokens, headings: headingsOf(tokens) });
    page.title ??= page.headings[0]?.text ?? page.name;
    page.summary = summaryOf(tokens);
  }
  for (const [index, page] of pages.entries()) {
    const html = fillIn(template, {
      title: escaped(page.title),
      base: "../".repeat(page.name.split("/").length),
      markdown: `${posix.basename(page.name)}.md`,
      nav: navOf(pages, page),
      article: markdown.renderer.render(page.tokens, markdown.options, {}),
      contents: contentsOf(page.headings),
      pager: pagerOf(pages[index - 1], pages[index + 1], page),
      index: relative(page, "search.json"),
      root: relative(page, "index"),
    });
    files.set(`${page.name}.html`, html);
    files.set(`${page.name}.md`, withLinks(page, byFile, files));
    found.push(...searchable(page));
  }
  files.set("search.json", JSON.stringify(found));
  files.set("llms.txt", llmsTxt(pages));
  files.set("llms-full.txt", pages.map(({ name }) => files.get(`${name}.md`)).join("\n"));
  return [...files].map(([path, contents]) => ({ path, contents: Buffer.from(contents) }));
}

/** The tokens of a page with a note before the first command that a checkout runs otherwise; those say it themselves. */
function withNote(tokens, file, note) {
  const index = tokens.findIndex(({ type, content }) => type === "fence" && /^(?:\$ )?sse-mcp-server\b/m.test(content));
  if (index === -1 || SAYS_HOW_TO_RUN.includes(file)) return tokens;
  return [...tokens.slice(0, index), ...note(), ...tokens.slice(index)];
}

async function parser() {
  const [{ default: MarkdownIt }, { default: hljs }] = await Promise.all([
    import("markdown-it"),
    import("highlight.js/lib/core"),
  ]);
  for (const [name, aliases] of Object.entries(LANGUAGES)) {
    hljs.registerLanguage(name, (await import(`highlight.js/lib/languages/${name}`)).default);
    hljs.registerAliases(aliases, { languageName: name });
  }
  const highlight = (code, language) =>
    hljs.getLanguage(language) === undefined ? "" : hljs.highlight(code, { language }).value;
  const markdown = new MarkdownIt({ highlight });
  markdown.core.ruler.push("guide", ({ tokens, env }) => {
    const used = new Map();
    for (const [index, token] of tokens.entries()) {
      if (token.type === "heading_open") token.attrSet("id", anchorOf(textOf(tokens[index + 1]), used));
      for (const [at, child] of (token.children ?? []).entries()) relink(child, token.children.slice(at), env.resolve);
    }
  });
  const { rules } = markdown.renderer;
  rules.heading_close = (tokens, index) => {
    const { tag } = tokens[index];
    const [text, id] = [escaped(textOf(tokens[index - 1])), tokens[index - 2].attrGet("id")];
    return `${tag === "h1" ? "" : ` <a class="anchor" href="#${id}" aria-label="Link to ${text}">#</a>`}</${tag}>\n`;
  };
  // Lets a list without spaces break, which would make its column as wide as itself otherwise.
  rules.text = (tokens, index) => escaped(tokens[index].content).replace(/,(?=[A-Za-z])/g, ",<wbr>");
  rules.table_open = () => '<div class="table" tabindex="0" role="group" aria-label="Table"><table>\n';
  rules.table_close = () => "</table></div>\n";
  return markdown;
}

/** Points a link at its page in the guide; a link to a file that is not in it becomes text that names the file. */
function relink(token, rest, resolve) {
  if (token.type === "image") token.attrSet("src", resolve(token.attrGet("src")).href);
  if (token.type !== "link_open") return;
  const { href, file } = resolve(token.attrGet("href"));
  if (href !== undefined) {
    token.attrSet("href", href);
    return;
  }
  Object.assign(token, { tag: "span", attrs: [["title", `${file} in the repository`]] });
  rest.find(({ type }) => type === "link_close").tag = "span";
}

/** The page of an entry of the navigation; for a folder, a page that lists its pages, and these. */
function pagesOf(section, entry) {
  const path = join(ROOT, entry);
  if (!existsSync(path)) return [];
  if (!entry.endsWith("/")) return [pageOf(section, entry, readFileSync(path, "utf8"))];
  const files = readdirSync(path).filter((file) => file.endsWith(".md") && file !== "README.md");
  const inside = files
    .sort()
    .map((file) => pageOf(section, entry + file, readFileSync(join(path, file), "utf8"), entry));
  const { title } = placeOf(entry);
  const list = inside.map(({ source, file }) => `- [${/^# (.*)$/m.exec(source)[1]}](${posix.basename(file)})`);
  const readme = join(path, "README.md");
  const source = existsSync(readme) ? readFileSync(readme, "utf8") : `# ${title}\n\n${list.join("\n")}\n`;
  return [pageOf(section, entry, source), ...inside];
}

function pageOf(section, file, text, folder) {
  // Comments mark where programs write into a page.
  const source = text.replace(/^<!--.*?-->\n\n?/gms, "");
  return { ...placeOf(file), section, file, source, folder };
}

/** Where a link of a page leads: an address, or a file of the repository that the guide does not have. */
function linkOf(target, page, byFile, files) {
  if (/^[a-z]+:|^#/.test(target)) return { href: target };
  const [path, fragment] = target.split("#", 2);
  const folder = page.file.endsWith("/") ? page.file : posix.dirname(page.file);
  const file = posix.join(folder, path);
  const other = byFile.get(file) ?? byFile.get(`${file}/`) ?? byFile.get(file.replace(/README\.md$/, ""));
  if (other !== undefined) {
    return {
      href: (other === page ? "" : relative(page, other.name)) + (fragment === undefined ? "" : `#${fragment}`),
      page: other,
      fragment,
    };
  }
  if (!/\.(?:png|svg)$/.test(file)) return { file };
  const name = file.replace(/^docs\//, "");
  files.set(name, readFileSync(join(ROOT, file)));
  return { href: relative(page, name), image: name };
}

/** The link from a page to another place of the guide: relative, since the server may be below a base path. */
function relative(page, name) {
  const way = posix.relative(dirname(page.name), name === "index" ? "." : name);
  if (name === "index") return way === "" ? "./" : `${way}/`;
  return way === "" ? `../${posix.basename(name)}` : way;
}

/** The page as Markdown, with links that work where it is served. */
function withLinks(page, byFile, files) {
  // Code is left as it is.
  return page.source.replace(/^```[^]*?^```$|`[^`\n]+`|(!?\[[^\]\n]*\])\(([^)\s]+)\)/gm, (found, text, target) => {
    if (target === undefined) return found;
    const { href, page: other, fragment } = linkOf(target, page, byFile, files);
    if (href === undefined) return text.slice(1, -1);
    if (other === undefined || other === page) return `${text}(${href})`;
    const way = posix.relative(dirname(page.name), `${other.name}.md`);
    return `${text}(${way}${fragment === undefined ? "" : `#${fragment}`})`;
  });
}

/** The anchor of a heading, as GitHub makes it, so that the same links work in both places. */
function anchorOf(text, used) {
  const anchor = text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replace(/\s/g, "-");
  const times = used.get(anchor) ?? 0;
  used.set(anchor, times + 1);
  return times === 0 ? anchor : `${anchor}-${times}`;
}

function textOf({ children }) {
  return children.map(({ type, content }) => (type.endsWith("break") ? " " : type === "image" ? "" : content)).join("");
}

function headingsOf(tokens) {
  return tokens.flatMap((token, index) =>
    token.type === "heading_open"
      ? [{ level: Number(token.tag.slice(1)), id: token.attrGet("id"), text: textOf(tokens[index + 1]), index }]
      : [],
  );
}

/** The first sentence of a page. */
function summaryOf(tokens) {
  const index = tokens.findIndex(({ type, level }) => type === "paragraph_open" && level === 0);
  const text = index === -1 ? "" : textOf(tokens[index + 1]);
  return (/^.*?\.(?= |$)/.exec(text)?.[0] ?? text).replace(/:$/, ".");
}

/** What the search finds: each part of a page below a heading. */
function searchable({ name, title, tokens, headings }) {
  return headings.map(({ id, text, index, level }, at) => {
    const part = tokens.slice(index + 3, headings[at + 1]?.index);
    const words = part.map((token) =>
      token.type === "inline" ? textOf(token) : token.type === "fence" ? token.content : "",
    );
    return {
      page: name === "index" ? "" : name,
      id: level === 1 ? "" : id,
      title,
      heading: level === 1 ? title : text,
      text: words.join(" ").replace(/\s+/g, " ").trim(),
    };
  });
}

function navOf(pages, current) {
  const link = (page) => {
    const here = page === current ? ' aria-current="page"' : "";
    return `<li><a href="${relative(current, page.name)}"${here}>${escaped(page.title)}</a></li>`;
  };
  const group = (folder) => {
    const inside = pages.filter((page) => page.folder === folder.file);
    const isOpen = folder === current || current.folder === folder.file;
    return link(folder) + (isOpen ? `<li><ul>${inside.map(link).join("")}</ul></li>` : "");
  };
  return SECTIONS.map(({ title: section }) => {
    const own = pages.filter((page) => page.section === section && page.folder === undefined);
    const items = own.map((page) => (page.file.endsWith("/") ? group(page) : link(page)));
    return `<h2>${section}</h2><ul>${items.join("")}</ul>`;
  }).join("");
}

function contentsOf(headings) {
  const parts = headings.filter(({ level }) => level === 2 || level === 3);
  if (parts.length < 3) return "";
  const items = parts.map(
    ({ level, id, text }) => `<li class="level-${level}"><a href="#${id}">${escaped(text)}</a></li>`,
  );
  return `<h2>On this page</h2><ul>${items.join("")}</ul>`;
}

function pagerOf(previous, next, page) {
  const link = (other, rel, text) =>
    other === undefined
      ? ""
      : `<a class="${rel}" rel="${rel}" href="${relative(page, other.name)}"><small>${text}</small> ${escaped(other.title)}</a>`;
  return link(previous, "prev", "Previous") + link(next, "next", "Next");
}

/** The contents of llms.txt (llmstxt.org). */
function llmsTxt(pages) {
  const [first] = pages;
  const parts = SECTIONS.map(({ title: section }) => {
    const own = pages.filter((page) => page.section === section && page.folder?.includes("decisions") !== true);
    const lines = own.map(
      ({ name, title, summary }) => `- [${title}](guide/${name}.md)${summary === "" ? "" : `: ${summary}`}`,
    );
    return `## ${section === "Project" ? "Optional" : section}\n\n${lines.join("\n")}\n`;
  });
  return `# sse-mcp-server\n\n> ${first.summary}\n\nAll pages in one file: llms-full.txt\n\n${parts.join("\n")}`;
}

function fillIn(template, values) {
  return template.replace(/\{\{(\w+)\}\}/g, (placeholder, name) => values[name] ?? placeholder);
}

function escaped(text) {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
