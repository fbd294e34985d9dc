import type { Correlation } from "../../core/trace.ts";
import type { Caller } from "../../ops/connections.ts";
import type { ClientFrame } from "../../protocol/ws-frames.ts";
import { publish, publishLater } from "../../tools/index.ts";
import { admitFor, type HttpContext } from "../context.ts";

export type PublishFrame = Extract<ClientFrame, { type: "publish" }>;

/** Publishes what a frame brings, now or later, and resolves with what its sender is told. */
export async function publishFrame(
  { channel, data, event, sender, ephemeral, at, delaySeconds }: PublishFrame,
  context: HttpContext,
  caller: Caller,
  correlation: Correlation,
): Promise<{ readonly type: "scheduled" | "published"; readonly message: object }> {
  const { hub, limits, schedule } = context;
  const by = { hub, limits, principal: caller.principal, admit: admitFor(context, caller) };
  const asked = { channel, data, event, sender, ephemeral };
  if (at !== undefined || delaySeconds !== undefined) {
    const scheduled = await publishLater({ ...asked, at, delaySeconds }, { ...by, schedule });
    return { type: "scheduled", message: scheduled.receipt };
  }
  const { receipt } = await publish(asked, { ...by, correlation });
  return { type: "published", message: receipt };
}
