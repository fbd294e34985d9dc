import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { channelName } from "../core/channel.ts";
import { checkAdmin } from "../core/principal.ts";
import { principalOf } from "./authentication.ts";
import type { HttpContext } from "./context.ts";
import { takeAnyBody } from "./json-body.ts";

const params = z.object({
  channel: z.string().meta({ description: "A channel, no pattern", examples: ["orders.eu"] }),
});
const query = z.strictObject({
  before: z
    .string()
    .optional()
    .meta({ description: "The id of a message: only those before it", examples: ["5f1c20ab9e-41"] }),
});
const purged = z.object({ channel: z.string(), messages: z.int().describe("How many were removed") });

/** `DELETE /channels/{channel}/messages`: removes what is kept of a channel, for admins, in a scope of its own. */
export function purge(app: FastifyInstance, context: HttpContext): void {
  const { hub, audit } = context;
  takeAnyBody(app);
  app.delete(
    "/channels/:channel/messages",
    {
      schema: {
        summary: "Remove the messages of a channel",
        description:
          "For good, on every node. Readers that come to their place get a gap (`expired`); ids are not given out " +
          "again, and idempotency keys of removed messages are forgotten. If it fails, the oldest may be gone: ask " +
          "again. For admins.",
        tags: ["operate"],
        params,
        querystring: query,
        response: { 200: purged },
      },
    },
    async (request) => {
      const principal = principalOf(request, context);
      checkAdmin(principal, "remove messages");
      const channel = channelName((request.params as z.output<typeof params>).channel);
      const { before } = request.query as z.output<typeof query>;
      const which = before === undefined ? "the messages" : "the older messages";
      const tell = (level: "info" | "warn", what: string): void =>
        audit({ level, action: "channel_purged", by: principal.subject, reason: `${which} of ${channel} ${what}` });
      try {
        const messages = await hub.kept.purge(channel, before);
        tell("info", `were removed: ${messages}`);
        return { channel, messages };
      } catch (error) {
        tell("warn", "were not all removed; some may be gone");
        throw error;
      }
    },
  );
}
