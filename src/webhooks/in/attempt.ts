import { HubError } from "../../core/errors.ts";
import type { Delivery } from "./delivery.ts";
import type { DeliveryRecord, Verdict } from "./deliveries.ts";
import type { Hook } from "./hook.ts";
import { receive, type Received, type ReceiveContext } from "./receive.ts";

export interface AttemptContext extends Omit<ReceiveContext, "fetchText"> {
  /** Where it came from. */
  readonly address: string;
  /** Counts deliveries from there to this hook, and throws `RATE_LIMITED` if there were too many; 0 only asks. */
  readonly count: (cost: number) => void;
}

/** What is done with the result. */
export interface AttemptTools extends Pick<ReceiveContext, "fetchText"> {
  readonly remember: (record: DeliveryRecord) => void;
  /** Called with the reason why a delivery could not be verified. */
  readonly refused: (cause: unknown) => void;
}

/** A delivery that fails verification, or cannot be verified, counts as this many for the rate limit. */
const FAILURE = 25;
const MAX_REASON = 300;

/** Receives a delivery and remembers its result. Rejects as `receive` does, or with `RATE_LIMITED`. */
export async function attempt(
  hook: Hook,
  delivery: Delivery,
  { address, count, ...context }: AttemptContext,
  { fetchText, remember, refused }: AttemptTools,
): Promise<Received> {
  const start = performance.now();
  const ended = (about: Pick<DeliveryRecord, "verdict" | "status"> & Partial<DeliveryRecord>): void =>
    remember({
      hook: hook.record.name,
      time: new Date(delivery.time).toISOString(),
      milliseconds: Math.round((performance.now() - start) * 100) / 100,
      bytes: delivery.body.length,
      address,
      ...about,
    });
  try {
    count(0);
    const received = await receive(hook, delivery, { ...context, fetchText });
    count(1);
    const { verdict, answer, event, id, secret } = received;
    const which = hook.record.secrets.length > 1 ? { secret: secret + 1 } : {};
    ended({ verdict, status: answer.status, event, id, ...which });
    return received;
  } catch (error) {
    const known = error instanceof HubError ? error : new HubError("INTERNAL", "an internal error", { cause: error });
    const verdict = verdictOf(known);
    const reason = known.cause instanceof Error ? known.cause.message : known.message;
    ended({ verdict, status: known.status, reason: reason.slice(0, MAX_REASON) });
    if (verdict === "refused") refused(known.cause);
    // Checking it took a request of ours, and its sender is unknown.
    if (verdict === "refused" || known.code === "AUTH_UNAVAILABLE") count(FAILURE);
    throw error;
  }
}

function verdictOf({ code, retry }: HubError): Verdict {
  if (code === "UNAUTHENTICATED") return "refused";
  if (code === "RATE_LIMITED") return "limited";
  return retry ? "failed" : "invalid";
}
