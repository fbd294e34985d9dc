import { ANYONE, refusal, type Principal } from "../../core/principal.ts";
import type { EventSubscriptions } from "../../webhooks/out/event-subscriptions.ts";
import { secretProblem } from "../../webhooks/out/signature.ts";
import { urlProblem } from "../../webhooks/out/webhook.ts";
import { invalidParams, isObject, type JsonObject } from "../errors.ts";
import type { McpRequestContext } from "../request-context.ts";
import type { EventCatalog } from "./event-catalog.ts";
import { eventError } from "./event-error.ts";
import { argumentsOf, eventQuery, eventTypeOf, wholeNumber } from "./event-query.ts";
import { eventStart } from "./event-start.ts";

/** `events/subscribe`: has occurrences posted to a URL, or renews that. */
export async function subscribe(
  params: JsonObject,
  call: McpRequestContext,
  catalog: EventCatalog,
): Promise<JsonObject> {
  const { hub, principal } = call;
  const { dialect } = catalog;
  const subscriptions = subscriptionsFor(principal, catalog);
  const query = eventQuery(params, call, catalog);
  const { mode = "webhook", url, secret } = deliveryOf(params);
  if (mode !== "webhook") {
    const sentence = "delivery.mode must be webhook; events/poll and events/stream need no subscription";
    throw eventError(dialect, "unsupported", sentence, { feature: "deliveryMode", value: mode });
  }
  const wrongUrl = urlProblem(url, subscriptions.rules);
  if (wrongUrl !== undefined) throw invalidParams(`delivery.url: ${wrongUrl}`);
  const wrongSecret = typeof secret === "string" ? secretProblem(secret) : "it is missing; the client makes it";
  if (wrongSecret !== undefined) throw invalidParams(`delivery.secret: ${wrongSecret}`);
  const { type, args, selection } = query;
  const made = await subscriptions.subscribe({
    ...selection,
    principal,
    url,
    secret: secret as string,
    name: type.name,
    args,
    ttl: wholeNumber(params, "ttlMs", 1),
    start: () => eventStart(hub, selection.channels, query),
  });
  if ("failure" in made) {
    const sentence = `The endpoint at delivery.url did not prove that it wants these events (${made.failure}); it must answer the verification with its challenge`;
    throw eventError(dialect, "callbackEndpoint", sentence, { reason: made.failure });
  }
  if ("most" in made) {
    const sentence = `There are ${made.most} webhooks and subscriptions already; unsubscribe from one, or use patterns such as orders.*`;
    throw eventError(dialect, "resourceExhausted", sentence, { limit: "subscriptions", max: made.most });
  }
  const { id, expires, cursor, truncated, status } = made;
  return {
    id,
    refreshBefore: new Date(expires).toISOString(),
    cursor,
    truncated,
    ...(status === undefined
      ? {}
      : {
          deliveryStatus: {
            active: status.isActive,
            lastDeliveryAt: isoTime(status.lastSuccess) ?? null,
            lastError: status.lastError ?? null,
            ...(status.failingSince === undefined ? {} : { failedSince: isoTime(status.failingSince) }),
          },
        }),
  };
}

/** `events/unsubscribe`: ends a subscription at once. */
export async function unsubscribe(
  params: JsonObject,
  { principal }: McpRequestContext,
  catalog: EventCatalog,
): Promise<JsonObject> {
  const subscriptions = subscriptionsFor(principal, catalog);
  const type = eventTypeOf(params, catalog);
  const args = argumentsOf(params, type);
  const { url } = deliveryOf(params);
  if (await subscriptions.unsubscribe({ owner: principal.id, url, name: type.name, args })) return {};
  const sentence = "You have no subscription to this event with these arguments and this delivery.url";
  throw eventError(catalog.dialect, "notFound", sentence, { kind: "subscription" });
}

/** Throws Forbidden for someone whom the server would not know again. */
function subscriptionsFor(principal: Principal, { subscriptions, dialect }: EventCatalog): EventSubscriptions {
  if (subscriptions === undefined || principal.id === ANYONE.id) {
    const sentence =
      "This server asks for no credential, so it cannot tell whose a subscription is; configure one, or use events/poll and events/stream";
    throw eventError(dialect, "forbidden", sentence, { reason: "authentication_required" });
  }
  if (principal.kind === "anonymous") throw refusal(principal, "read", "have events posted to a URL");
  return subscriptions;
}

function deliveryOf({ delivery }: JsonObject): JsonObject & { readonly url: string } {
  if (!isObject(delivery))
    throw invalidParams('delivery must be an object such as {"url": "https://…", "secret": "whsec_…"}');
  const { url } = delivery;
  if (typeof url !== "string") throw invalidParams("delivery.url is missing; give a text");
  return { ...delivery, url };
}

function isoTime(milliseconds: number | undefined): string | undefined {
  return milliseconds === undefined ? undefined : new Date(milliseconds).toISOString();
}
