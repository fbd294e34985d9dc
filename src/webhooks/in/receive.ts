import { hash } from "node:crypto";
import { HubError } from "../../core/errors.ts";
import type { Hub } from "../../core/hub.ts";
import { HUB_PATH_HEADER, hubPath, isLoop } from "../../core/hub-path.ts";
import { draft, MAX_KEY, type Draft } from "../../core/message.ts";
import type { Correlation } from "../../core/trace.ts";
import { isObject } from "../../protocol/json.ts";
import { bodyValue, unwrapped } from "./body.ts";
import { cloudEvents } from "./cloud-events.ts";
import type { Delivery, Proof } from "./delivery.ts";
import type { Verdict } from "./deliveries.ts";
import type { HandshakeTools, HookAnswer } from "./handshakes.ts";
import { senderOf, type Hook } from "./hook.ts";
import { hookMessage, type HookMessage } from "./hook-message.ts";
import { provesHeaders, type HookRecord } from "./hook-record.ts";
import { pointer, valueAt } from "./pointer.ts";
import { providerOf } from "./providers.ts";

/** What `receive` needs. */
export interface ReceiveContext extends HandshakeTools {
  readonly hub: Hub;
  /** The id of this hub. */
  readonly hubId: string;
  /** Bytes of one message. */
  readonly mostBytes: number;
  /** Counts what the hook publishes, and throws `RATE_LIMITED` if that is too much; absent if nothing is counted. */
  readonly admit?: ((what: "publishes" | "publish_bytes", cost?: number) => void) | undefined;
  readonly correlation?: Correlation | undefined;
}

/** The result of a delivery that was verified. */
export interface Received {
  readonly verdict: Extract<Verdict, "accepted" | "repeated" | "filtered" | "loop" | "handshake">;
  readonly answer: HookAnswer;
  readonly event?: string | undefined;
  readonly id?: string | undefined;
  /** Which of the secrets verified it, from 0. */
  readonly secret: number;
}

/** Seconds by which the time of a delivery may differ from ours, unless the provider has its own. */
const TOLERANCE = 300;
/** The answer to a delivery that cannot be verified, whatever the reason, so that attackers learn nothing. */
const UNVERIFIED = "This delivery could not be verified; the hub's operator can see why";

/**
 * Verifies a delivery and publishes what it says. Rejects with `UNAUTHENTICATED`, whose cause says why for the log,
 * `INVALID_DELIVERY` or `MESSAGE_TOO_LARGE` for what can never be published, and as the log does.
 */
export async function receive(hook: Hook, delivery: Delivery, context: ReceiveContext): Promise<Received> {
  const { record, scheme } = hook;
  const provider = providerOf(record);
  const proof = await scheme.verify(delivery);
  if ("fault" in proof) throw unverified(proof.fault);
  const { secret } = proof;
  const areHeadersProved = provesHeaders(record);
  const bodies =
    record.provider === "cloudevents"
      ? cloudEvents(delivery, areHeadersProved)
      : [unwrapped(record.provider, proof.body ?? bodyValue(delivery, areHeadersProved))];
  const late = windowFault(record, proof, delivery, bodies[0]);
  if (late !== undefined) throw unverified(late);
  const handshake = await provider.handshake?.(delivery, bodies[0], context);
  if (handshake !== undefined) return { verdict: "handshake", answer: handshake, secret };
  const kept: { readonly id: string; readonly event: string; readonly isRepeated: boolean }[] = [];
  let loops = 0;
  for (const body of bodies) {
    const path = pathOf(delivery, body);
    if (isLoop(path, context.hubId)) {
      loops++;
      continue;
    }
    const message = hookMessage(record, delivery, body, proof.id);
    if (message !== undefined) kept.push({ event: message.event, ...(await keep(hook, message, path, context)) });
  }
  const [first] = kept;
  const ids = kept.map(({ id }) => id);
  const said = JSON.stringify(bodies.length === 1 ? { id: ids[0] ?? null } : { ids });
  const { emptyAnswer } = provider;
  const answer: HookAnswer =
    emptyAnswer === undefined ? { status: 200, body: said } : { status: emptyAnswer(bodies[0]), body: "" };
  if (first === undefined) return { verdict: loops > 0 ? "loop" : "filtered", answer, secret };
  const verdict = kept.every(({ isRepeated }) => isRepeated) ? "repeated" : "accepted";
  return { verdict, answer, secret, event: first.event, id: first.id };
}

/** Resolves with the id of the message once it is kept, or of the one that this delivery made before. */
async function keep(
  { record, principal }: Hook,
  { event, data, id, wakes }: HookMessage,
  path: readonly string[],
  { hub, mostBytes, admit, correlation }: ReceiveContext,
): Promise<{ readonly id: string; readonly isRepeated: boolean }> {
  const { channel, name, verify } = record;
  // A secret in the path is in the logs of every proxy on the way.
  const isProved = !(verify.scheme === "token" && verify.in === "path");
  const item = drafted(
    { channel, event, data, sender: senderOf(name), via: "webhook", verified: isProved || undefined },
    mostBytes,
  );
  const bytes = Buffer.byteLength(item.data);
  admit?.("publishes");
  admit?.("publish_bytes", bytes);
  const keyed: Draft = id === undefined ? item : { ...item, key: keyOf(principal.id, id) };
  const through: Draft = path.length === 0 ? keyed : { ...keyed, path: path.join(",") };
  const marked: Draft = wakes ? through : { ...through, quiet: true };
  const trace = correlation?.trace;
  const published = trace === undefined ? hub.publish(marked) : trace.publish(marked, (traced) => hub.publish(traced));
  const { id: kept = "", repeated } = await published;
  if (repeated) admit?.("publish_bytes", -bytes);
  return { id: kept, isRepeated: repeated };
}

/**
 * The ids of the hubs that a message came through before this one, as hubs say it that send webhooks: in a header, and as
 * an extension of CloudEvents. The header is not signed: whoever forges it can have a message left out, and cannot have
 * one published that names this hub in its body.
 */
function pathOf({ headers }: Delivery, body: unknown): readonly string[] {
  const given = [headers[HUB_PATH_HEADER], isObject(body) ? body["hubpath"] : undefined];
  // A hub says the same in both.
  return [...new Set(given.flatMap((text) => (typeof text === "string" ? hubPath(text) : [])))];
}

/** An invalid message is `INVALID_DELIVERY`, so that the provider does not deliver it again. */
function drafted(input: Parameters<typeof draft>[0], mostBytes: number): Draft {
  try {
    return draft(input, mostBytes);
  } catch (cause) {
    if (!(cause instanceof HubError) || cause.code !== "INVALID_MESSAGE") throw cause;
    throw new HubError("INVALID_DELIVERY", cause.message, { cause });
  }
}

/** A key that no one else can use: a line break is in no key from outside. */
function keyOf(principal: string, id: string): string {
  const key = `${principal}\n${id}`;
  return key.length <= MAX_KEY && /^[\x20-\x7e]*$/.test(id) ? key : `${principal}\n${hash("sha256", id)}`;
}

/** Why the time of a delivery is not one at which it can have been sent, as the end of a sentence. */
function windowFault(
  record: HookRecord,
  { timestamp }: Exclude<Proof, { fault: string }>,
  { time }: Delivery,
  body: unknown,
): string | undefined {
  const known = providerOf(record);
  // SNS tries again for days, and does not change the time.
  const isOld = timestamp === undefined || record.verify.scheme === "sns";
  const tolerance = record.toleranceSeconds ?? known.tolerance ?? (isOld ? undefined : TOLERANCE);
  if (tolerance === undefined) return undefined;
  const { pointer: path, unit = "s" } = known.timestamp ?? {};
  const given = path === undefined ? timestamp : valueAt(body, pointer(path));
  const sent = Number(given) * (unit === "ms" ? 1 : 1000);
  if (given === undefined || given === "" || !Number.isSafeInteger(sent))
    return "the time when it was sent is missing, or not a number";
  const seconds = Math.round((time - sent) / 1000);
  if (Math.abs(time - sent) <= tolerance * 1000) return undefined;
  return `it was sent ${Math.abs(seconds)} s ${seconds > 0 ? "ago" : "from now"} by its own time; ${tolerance} s are allowed`;
}

function unverified(reason: string): HubError {
  return new HubError("UNAUTHENTICATED", UNVERIFIED, { cause: new Error(reason) });
}
