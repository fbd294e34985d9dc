/** The id of a JSON-RPC request; null where the request had none that could be read. */
export type RpcId = string | number | null;

/** What is right where an id is not: greater numbers lose digits on their way through most programs. */
export const ID_RULE =
  "it must be a text of at most 256 characters, or a whole number up to 9007199254740991; send a greater one as a text";

/** A JSON-RPC 2.0 response with a result, as text. */
export function rpcResult(id: RpcId, result: unknown): string {
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${JSON.stringify(result)}}`;
}

/** A JSON-RPC 2.0 response with an error, as text. MCP knows no `null` for an id that cannot be said: it is left out. */
export function rpcError(id: RpcId | undefined, error: { code: number; message: string; data?: unknown }): string {
  const whose = id === undefined ? "" : `"id":${JSON.stringify(id)},`;
  return `{"jsonrpc":"2.0",${whose}"error":${JSON.stringify(error)}}`;
}
