import { STATUS_CODES } from "node:http";
import { curlOf, needsCredential, type ApiResponse, type Contents, type Media, type Operation } from "./api-curl.ts";
import { fieldList, fieldsOf, kindOf, type Schema } from "./api-fields.ts";
import { escaped, sentence } from "./html.ts";

/** As much of an OpenAPI document as the page shows. */
export interface ApiDocument {
  readonly tags?: readonly { readonly name: string; readonly description?: string }[];
  readonly paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components?: { readonly securitySchemes?: Readonly<Record<string, SecurityScheme>> };
}

interface SecurityScheme {
  readonly in?: string;
  readonly name?: string;
  readonly description?: string;
}

/** Filled in when the page is served; the script takes the address from where the page came from. */
const ORIGIN = '<span class="origin">{{origin}}</span>';
const SOCKET = '<span class="socket">{{socket}}</span>';
/** Stand for the two until the text around them is escaped. */
const PLACE = "\u0001";
const WEBSOCKET = `const socket = new WebSocket("${PLACE}/ws");
socket.onmessage = (event) => console.log(JSON.parse(event.data));
socket.onopen = () => socket.send(JSON.stringify({ type: "publish", channel: "default", data: "Hello" }));`;
const SWITCHES = "101";
/** Where parameters can be, in the order of a request. */
const PLACES: readonly string[] = ["path", "query", "header"];
/** What errors have in common, which the page says once. */
const ERROR_FIELDS: readonly string[] = ["detail", "error"];

/** The operations of the API by their tags, to read and to copy from, without a script. */
export function operationsHtml({ tags = [], paths = {}, components = {} }: ApiDocument): string {
  const all = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  );
  const sections = tags.map(({ name, description = "" }) => {
    const own = all.filter(({ operation }) => operation.tags?.[0] === name);
    const items = own.map(({ method, path, operation }) => operationHtml(name, method, path, operation));
    const heading = `<h2 id="${escaped(name)}">${escaped(description)} <small>${escaped(name)}</small></h2>`;
    return `<section aria-labelledby="${escaped(name)}">${heading}${items.join("")}</section>`;
  });
  const isAsked = all.some(({ operation }) => needsCredential(operation));
  return sections.join("") + (isAsked ? credentials(components.securitySchemes ?? {}) : "");
}

function operationHtml(tag: string, method: string, path: string, operation: Operation): string {
  const { operationId: id = "", summary = "", description, requestBody, responses, security } = operation;
  const name = `<b class="method ${escaped(method)}">${escaped(method.toUpperCase())}</b>`;
  const shown = escaped(path).replace(/(?<=.)\//g, "<wbr>/");
  const fields = PLACES.flatMap(
    (place) => operation.parameters?.filter((parameter) => parameter.in === place) ?? [],
  ).map(({ in: place, required: isRequired, ...rest }) => ({ ...rest, place, isRequired }));
  const example =
    SWITCHES in responses
      ? code(WEBSOCKET, "The same in a browser", SOCKET)
      : code(curlOf(method, path, operation, PLACE), "Example", ORIGIN);
  const inner = [
    description === undefined ? "" : prose(description),
    needsCredential(operation) ? `<p>Needs <a href="#credentials">a credential</a>: ${schemeNames(security)}.</p>` : "",
    example,
    fields.length === 0 ? "" : `<h3>Parameters</h3>${fieldList(fields, "sent")}`,
    requestBody === undefined ? "" : `<h3>Body</h3>${bodyHtml(requestBody.content)}`,
    `<h3>Responses</h3>${responsesHtml(responses)}`,
    `<p class="try"><a href="#/${escaped(tag)}/${escaped(id)}">Try it out</a></p>`,
  ];
  const head = `<summary>${name} <code>${shown}</code> <span>${escaped(summary)}</span></summary>`;
  return `<details class="operation" id="${escaped(id)}">${head}<div>${inner.join("")}</div></details>`;
}

/** Which credentials are taken, by the names that the operations use. */
function credentials(schemes: Readonly<Record<string, SecurityScheme>>): string {
  const items = Object.entries(schemes).map(([name, { in: place, name: field, description = "" }]) => {
    const where = place === undefined ? "Authorization: Bearer" : `${place} ${field ?? ""}`;
    return `<div><dt><code>${escaped(name)}</code> <i>${escaped(where)}</i></dt><dd>${sentence(description)}</dd></div>`;
  });
  return `<section aria-labelledby="credentials"><h2 id="credentials">Credentials</h2><dl class="fields">${items.join("")}</dl></section>`;
}

function schemeNames(security: Operation["security"] = []): string {
  const names = security.flatMap((one) => Object.keys(one)).map((name) => `<code>${escaped(name)}</code>`);
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
}

/** A description; the JSON Schema in it as the fields of each of its kinds. */
function prose(text: string): string {
  return text
    .split(/```json\n|\n?```/)
    .map((part, index) =>
      index % 2 === 0 ? (part.trim() === "" ? "" : `<p>${sentence(part.trim())}</p>`) : kinds(part),
    )
    .join("");
}

function kinds(json: string): string {
  const schema = JSON.parse(json) as Schema;
  return (schema.oneOf ?? [schema]).map((one) => fieldList(fieldsOf(one), "sent")).join("");
}

function bodyHtml(content: Contents): string {
  const types = Object.keys(content).map((type) => `<code>${escaped(type)}</code>`);
  const [media = {}] = Object.values(content);
  return `<p>${types.join(", ")}</p>${mediaHtml(media, "sent")}`;
}

/** What is in a body: its fields, or its kind. */
function mediaHtml({ schema }: Media, way: "sent" | "answered"): string {
  if (schema === undefined) return "";
  const fields = fieldsOf(schema);
  if (fields.length > 0) return fieldList(fields, way);
  const { description } = schema;
  return `<p>${description === undefined ? escaped(kindOf(schema)) : sentence(description)}</p>`;
}

function responsesHtml(responses: Operation["responses"]): string {
  const seen = new Map<string, string>();
  const items = Object.entries(responses).map(([status, response]) => {
    const { content = {}, description = "" } = response;
    const types = Object.keys(content).map((type) => `<i>${escaped(type)}</i>`);
    const said = STATUS_CODES[status] ?? "";
    const told = description === said || description === "" ? "" : `<p>${sentence(description)}</p>`;
    const head = `<dt><code>${escaped(status)}</code> ${escaped(said)} ${types.join(" ")}</dt>`;
    return `<div>${head}<dd>${told}${answerHtml(status, response, seen)}</dd></div>`;
  });
  return `<dl class="responses">${items.join("")}</dl>`;
}

/** What an answer holds, unless it is an error like all others. */
function answerHtml(status: string, { content = {} }: ApiResponse, seen: Map<string, string>): string {
  const [media] = Object.values(content);
  if (media?.schema === undefined || ERROR_FIELDS.some((name) => media.schema?.properties?.[name] !== undefined))
    return "";
  const html = mediaHtml(media, "answered");
  const before = seen.get(html);
  if (before !== undefined) return `<p>As ${before}.</p>`;
  seen.set(html, status);
  return html;
}

/** Code to copy; `place` is the HTML of the address in it. */
function code(text: string, title: string, place: string): string {
  const html = escaped(text).replaceAll(PLACE, () => place);
  return `<h3>${title}</h3><pre><button type="button" hidden>Copy</button><code>${html}</code></pre>`;
}
