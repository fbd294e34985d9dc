import { ProtocolError, SdkError, SdkErrorCode } from "@modelcontextprotocol/server";
import { CODES, McpError } from "../errors.ts";

const LONGEST_SHOWN = 200;

/** Why a client's answer to what it was asked is not there: nothing that failed on the server, so nothing for its log. */
export function unanswered(method: string, error: unknown): unknown {
  if (error instanceof ProtocolError) return failed(`The client refused ${method}: ${shown(error)}`);
  if (!(error instanceof SdkError)) return error;
  switch (error.code) {
    case SdkErrorCode.RequestTimeout:
      return failed(`The client has not answered ${method} in time, or has cancelled the request`);
    case SdkErrorCode.ConnectionClosed:
    case SdkErrorCode.NotConnected:
      return failed(`The session ended before the client had answered ${method}`);
    case SdkErrorCode.InvalidResult:
    case SdkErrorCode.UnsupportedResultType:
      return failed(`What the client answered to ${method} is no result of it: ${shown(error)}`);
    default:
      return error;
  }
}

function failed(sentence: string): McpError {
  return new McpError(CODES.internal, sentence);
}

function shown({ message }: Error): string {
  return message.slice(0, LONGEST_SHOWN);
}
