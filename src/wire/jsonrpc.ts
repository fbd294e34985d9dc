/** The id of a JSON-RPC request; null where the request had none that could be read. */
export type RpcId = string | number | null;

/** What an id must be: what reads JSON rounds greater numbers, so that the answer would name another request. */
export const WRONG_ID: string = `id must be a text of at most 256 characters or a whole number up to ${Number.MAX_SAFE_INTEGER}; send a greater one as a text`;

/** Whether an id is a number that does not come back as it was sent. */
export function isRounded(id: unknown): boolean {
  return typeof id === "number" && !(Math.abs(id) <= Number.MAX_SAFE_INTEGER);
}

/** A JSON-RPC 2.0 response with a result, as text. */
export function rpcResult(id: RpcId, result: unknown): string {
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${JSON.stringify(result)}}`;
}

/** A JSON-RPC 2.0 response with an error, as text. MCP knows no `null` for an id that cannot be said: it is left out. */
export function rpcError(id: RpcId | undefined, error: { code: number; message: string; data?: unknown }): string {
  const whose = id === undefined ? "" : `"id":${JSON.stringify(id)},`;
  return `{"jsonrpc":"2.0",${whose}"error":${JSON.stringify(error)}}`;
}
