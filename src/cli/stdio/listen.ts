import { setTimeout as wait } from "node:timers/promises";
import { SUBSCRIPTION_ID_META_KEY } from "@modelcontextprotocol/client";
import { isObject } from "../../protocol/json.ts";
import { exchange } from "./exchange.ts";
import { Failure, isPassing } from "./failure.ts";
import type { HubEndpoint } from "./hub-endpoint.ts";
import { notification, type Id, type JsonObject, type Message } from "./message.ts";
import type { PendingRequest } from "./pending-request.ts";
import { Backoff } from "./transport.ts";

const LISTS: Readonly<Record<string, string>> = {
  toolsListChanged: "tools",
  promptsListChanged: "prompts",
  resourcesListChanged: "resources",
};

/**
 * A subscription that outlives its connection, and the hub: it is asked for again, and then the client is told that what
 * it listens to may have changed meanwhile. Only the client ends it, or a refusal that will stay one.
 */
export async function listen(
  hub: HubEndpoint,
  { message, signal, write }: PendingRequest,
  note: (sentence: string) => void,
): Promise<void> {
  const backoff = new Backoff();
  let isAcknowledged = false;
  let isAway = false;
  let isOver = false;
  const receive = (reply: Message): void => {
    if (reply.method === "notifications/subscriptions/acknowledged") {
      const missed = isAcknowledged ? missedBy(message.id, reply.params?.["notifications"]) : [reply];
      for (const news of missed) write(news);
      isAcknowledged = true;
      isAway = false;
    } else if (reply.method === undefined) {
      isOver = !isAcknowledged || isFinal(reply);
      if (isOver) write(reply);
    } else if (reply.method !== "notifications/cancelled") write(reply);
  };
  for (;;) {
    let why = "the hub ended a subscription";
    try {
      await exchange(hub, message, receive, { signal });
    } catch (error) {
      if (!signal.aborted && (!isAcknowledged || !(error instanceof Failure) || !isPassing(error.code))) throw error;
      why = "a subscription was lost";
    }
    if (isOver || signal.aborted) return;
    if (!isAway) note(`${why}; coming back`);
    isAway = true;
    await wait(backoff.next(), undefined, { signal }).catch(() => {});
  }
}

/** What may have happened while the connection was away. */
function missedBy(id: Id, honoured: unknown): readonly Message[] {
  const filter = isObject(honoured) ? honoured : {};
  const _meta = { [SUBSCRIPTION_ID_META_KEY]: id };
  const lists = Object.entries(LISTS).filter(([field]) => filter[field] === true);
  const uris: unknown = filter["resourceSubscriptions"];
  return [
    ...lists.map(([, list]) => notification(`${list}/list_changed`, { _meta })),
    ...(Array.isArray(uris) ? uris : []).map((uri: unknown) => notification("resources/updated", { _meta, uri })),
  ];
}

/** Whether it refuses for good. */
function isFinal({ error }: Message): boolean {
  if (error === undefined) return false;
  const data: JsonObject = isObject(error["data"]) ? error["data"] : {};
  return data["retry"] !== true && !isPassing(error["code"]);
}
