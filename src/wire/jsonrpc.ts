/** The id of a JSON-RPC request; null where the request had none that could be read. */
export type RpcId = string | number | null;

/** A JSON-RPC 2.0 response with a result, as text. */
export function rpcResult(id: RpcId, result: unknown): string {
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${JSON.stringify(result)}}`;
}

/** A JSON-RPC 2.0 response with an error, as text. */
export function rpcError(id: RpcId, error: { code: number; message: string; data?: unknown }): string {
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"error":${JSON.stringify(error)}}`;
}
