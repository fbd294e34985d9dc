import { sampleOf, type Schema } from "./api-fields.ts";

/** As much of an operation of OpenAPI as a request needs. */
export interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required?: boolean; readonly content: Contents };
  readonly responses: Readonly<Record<string, ApiResponse>>;
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
}

interface Parameter {
  readonly in: string;
  readonly name: string;
  readonly required: boolean;
  readonly description?: string;
  readonly schema: Schema;
  readonly example?: unknown;
}

export interface ApiResponse {
  readonly description?: string;
  readonly content?: Contents;
}

export type Contents = Readonly<Record<string, Media>>;

export interface Media {
  readonly schema?: Schema;
  readonly example?: unknown;
}

const CREDENTIAL = "Authorization: Bearer $HUB_TOKEN";
const STREAM = "text/event-stream";

/** Whether a request needs a credential. */
export function needsCredential({ security = [] }: Operation): boolean {
  return security.length > 0 && security.every((one) => Object.keys(one).length > 0);
}

/** Lines for a shell that do an operation of the server at `origin`, with what is required and nothing else. */
export function curlOf(method: string, path: string, operation: Operation, origin: string): string {
  const { parameters = [], requestBody, responses } = operation;
  const at = (place: string) =>
    parameters
      .filter((parameter) => parameter.required && parameter.in === place)
      .map(({ name, schema, example }) => ({ name, value: String(example ?? sampleOf(schema)) }));
  const query = at("query").map(({ name, value }) => `${name}=${encodeURIComponent(value)}`);
  const filled = at("path").reduce(
    (text, { name, value }) => text.replace(`{${name}}`, () => encodeURIComponent(value)),
    path,
  );
  const url = `${origin}${filled}${query.length === 0 ? "" : `?${query.join("&")}`}`;
  const headers = at("header").map(({ name, value }) => `${name}: ${value}`);
  const streams = Object.values(responses).some(({ content = {} }) => STREAM in content);
  const body = bodyOf(requestBody?.content);
  const sends = method.toUpperCase();
  const implied = body === undefined ? "GET" : "POST";
  return [
    `curl${streams ? " -N" : ""}${sends === implied ? "" : ` -X ${sends}`} ${/[&?]/.test(url) ? `'${url}'` : url}`,
    ...(needsCredential(operation) ? [`-H "${CREDENTIAL}"`] : []),
    ...headers.map((header) => `-H ${quoted(header)}`),
    ...(body === undefined ? [] : [`-H ${quoted(`Content-Type: ${body.type}`)}`, `-d ${quoted(body.text)}`]),
  ].join(" \\\n  ");
}

/** An example as JSON, or as text where JSON is no more than other content; undefined if no body is sent. */
function bodyOf(content: Contents = {}): { readonly type: string; readonly text: string } | undefined {
  const [type] = ["application/json", "text/plain"].filter((one) => content[one] !== undefined);
  const media = content[type ?? ""];
  if (type === undefined || media === undefined) return undefined;
  const example = media.example ?? sampleOf(media.schema ?? {});
  return { type, text: type === "text/plain" ? String(example) : JSON.stringify(example) };
}

/** A word of a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
