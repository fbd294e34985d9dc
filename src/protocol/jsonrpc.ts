/** The id of a JSON-RPC request; null if the request had none that could be read. */
export type RpcId = string | number | null;

/** Characters of an id that is a text: everything that a subscription sends repeats it. */
export const MAX_ID = 256;

/** What an id has to be; greater numbers lose digits on their way through most programs. */
export const ID_RULE: string = `it must be a text of at most ${MAX_ID} characters, or a whole number up to 9007199254740991; send a greater one as a text`;

/** Whether JSON-RPC, and every reader of JSON, can give it back as it is. See `ID_RULE`. */
export function isId(value: unknown): value is string | number {
  return typeof value === "string" ? value.length <= MAX_ID : Number.isSafeInteger(value);
}

/** The JSON of data that answers many calls. */
const kept = new WeakMap<object, string>();

/** Keeps the JSON of data that answers many calls and does not change, so that it is made once. */
export function keepJson(data: object): void {
  kept.set(data, JSON.stringify(data));
}

/** A JSON-RPC 2.0 response with a result, as text. */
export function rpcResult(id: RpcId, result: object): string {
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${resultJson(result)}}`;
}

function resultJson(result: { readonly structuredContent?: unknown }): string {
  const { structuredContent: data } = result;
  const json = typeof data === "object" && data !== null ? kept.get(data) : undefined;
  if (json === undefined) return JSON.stringify(result);
  // A result that has data has content, too.
  return `${JSON.stringify({ ...result, structuredContent: undefined }).slice(0, -1)},"structuredContent":${json}}`;
}

/** A JSON-RPC 2.0 response with an error, as text. MCP has no `null` id: an id that is not known is left out. */
export function rpcError(id: RpcId | undefined, error: { code: number; message: string; data?: unknown }): string {
  const whose = id === undefined ? "" : `"id":${JSON.stringify(id)},`;
  return `{"jsonrpc":"2.0",${whose}"error":${JSON.stringify(error)}}`;
}
