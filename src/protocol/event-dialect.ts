/**
 * Which reading of MCP Events is spoken: that of the design sketch, as ChatGPT and the AI SDK do, or that of SEP-3415.
 * They differ in the numbers of errors, and in the `webhook-id` of deliveries.
 */
export const EVENT_DIALECTS = ["sketch", "sep-3415"] as const;
export type EventDialect = (typeof EVENT_DIALECTS)[number];

/** What can be wrong with a request for events, besides its params. */
export type EventFault = "notFound" | "forbidden" | "resourceExhausted" | "unsupported" | "callbackEndpoint";

/** The JSON-RPC codes of errors. Those of SEP-3415 are provisional until the specification allocates them. */
export const EVENT_CODES: Readonly<Record<EventDialect, Readonly<Record<EventFault, number>>>> = {
  sketch: {
    notFound: -32011,
    forbidden: -32012,
    resourceExhausted: -32013,
    unsupported: -32014,
    callbackEndpoint: -32015,
  },
  "sep-3415": {
    notFound: -32023,
    forbidden: -32024,
    resourceExhausted: -32025,
    unsupported: -32026,
    callbackEndpoint: -32027,
  },
};
