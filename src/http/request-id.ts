import type { IncomingHttpHeaders } from "node:http";
import type { FastifyRequest } from "fastify";
import type { Correlation } from "../core/trace.ts";

/** The header that a request may bring its id in, and that every answer has. */
export const REQUEST_ID = "x-request-id";
/** What an id may be: it goes into a header and into log lines as it is. */
const WELL_FORMED = /^[\w.:;,/+=@-]{1,128}$/;

/** Gives requests their ids. */
export class RequestIds {
  readonly #node: string;
  #count = 0;

  /** `node` names this process, so that no two requests of a hub have the same id. */
  constructor(node: string) {
    this.#node = node;
  }

  /** The id that a request brings, if it is well formed; a new one otherwise. */
  of({ [REQUEST_ID]: brought }: IncomingHttpHeaders): string {
    if (typeof brought === "string" && WELL_FORMED.test(brought)) return brought;
    return `${this.#node}-${(++this.#count).toString(36)}`;
  }
}

/** What sessions keep of a request: not the request itself, which holds its connection and its body. */
export function correlationOf({ id, trace }: FastifyRequest): Correlation {
  return trace === undefined ? { id } : { id, trace };
}

/** The fields of a log line about an error: the error, and the request and trace in which it happened. */
export function logFields(error: unknown, correlation: Correlation | undefined): object {
  const { id, trace } = correlation ?? {};
  const ids = trace?.ids;
  const place = ids === undefined ? {} : { trace_id: ids.traceId, span_id: ids.spanId };
  return { ...(id === undefined ? {} : { request_id: id }), ...place, err: error };
}
