import { HUB_PATH_HEADER } from "../../core/hub-path.ts";
import type { Message } from "../../core/message.ts";
import { messageMembers } from "../../protocol/message.ts";
import type { Gap } from "../../protocol/signal.ts";
import type { WebhookFormat } from "./webhook.ts";

/** What a delivery says of where it comes from. */
export interface Origin {
  /** The id of this hub. */
  readonly hubId: string;
  /** The `source` of CloudEvents: the address of the hub, or `hub:` and its id. */
  readonly source: string;
}

/** A delivery before it is signed. */
export interface Envelope {
  /** The same each time it is sent. */
  readonly id: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The `type` of a CloudEvent of a message whose event is `message`. */
const MESSAGE_TYPE = "hub.message";
const JSON_TYPE = "application/json; charset=utf-8";
const CLOUDEVENTS_TYPE = "application/cloudevents+json; charset=utf-8";

/** A message as the body of a webhook. */
export function messageEnvelope(message: Message, id: string, format: WebhookFormat, origin: Origin): Envelope {
  const { channel, event, data, sender, time, via } = message;
  const path = pathOf(message, origin);
  if (format === "cloudevents") {
    const type = event === "message" ? MESSAGE_TYPE : event;
    const extensions = { sender, hubpath: path, ...(via === undefined ? {} : { via }) };
    return cloudEvent({ id, type, subject: channel, time, extensions }, data, origin);
  }
  // The members of Standard Webhooks are `type`, `timestamp` and `data`; the last is that of the message.
  const at = new Date(time).toISOString();
  const body = `{"type":${JSON.stringify(event)},"timestamp":"${at}",${messageMembers(message, id)}}`;
  return { id, headers: headersOf(JSON_TYPE, path), body };
}

/** Says that messages are missing: what the log no longer had when they were to be sent. */
export function gapEnvelope(webhook: string, gap: Gap, time: number, format: WebhookFormat, origin: Origin): Envelope {
  return control(`gap_${webhook}_${gap.resumed}`, "hub.gap", gap, time, format, origin);
}

/** Says nothing: for an owner who wants to know whether it arrives. */
export function testEnvelope(id: string, time: number, format: WebhookFormat, origin: Origin): Envelope {
  return control(id, "hub.test", { text: "This is a test of your webhook." }, time, format, origin);
}

function control(
  id: string,
  type: string,
  value: object,
  time: number,
  format: WebhookFormat,
  origin: Origin,
): Envelope {
  const data = JSON.stringify(value);
  if (format === "cloudevents") {
    return cloudEvent({ id, type, time, extensions: { hubpath: origin.hubId } }, data, origin);
  }
  const body = `{"type":"${type}","timestamp":"${new Date(time).toISOString()}","data":${data}}`;
  return { id, headers: headersOf(JSON_TYPE, origin.hubId), body };
}

interface EventAttributes {
  readonly id: string;
  readonly type: string;
  readonly subject?: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly extensions: { readonly hubpath: string } & Readonly<Record<string, string>>;
}

/** A CloudEvent 1.0 in structured mode; `data` is JSON text. */
function cloudEvent(
  { id, type, subject, time, extensions }: EventAttributes,
  data: string,
  { source }: Origin,
): Envelope {
  const at = new Date(time).toISOString();
  const attributes = { specversion: "1.0", id, source, type, subject, time: at, ...extensions };
  const head = JSON.stringify({ ...attributes, datacontenttype: "application/json" });
  return {
    id,
    headers: headersOf(CLOUDEVENTS_TYPE, extensions.hubpath),
    body: `${head.slice(0, -1)},"data":${data}}`,
  };
}

/** The ids of the hubs that a message came through, this one among them. */
export function pathOf({ path }: Message, { hubId }: Origin): string {
  return [...(path?.split(",") ?? []), hubId].join(",");
}

/** `hub-path` has the ids of the hubs that it came through, as the attribute `hubpath` of CloudEvents. */
export function headersOf(contentType: string, path: string): Readonly<Record<string, string>> {
  return { "content-type": contentType, [HUB_PATH_HEADER]: path };
}
