import type { Duplex } from "node:stream";
import type { Channel, ChannelModel } from "amqplib";
import { reasonOf } from "../../server-connection.ts";

/** Milliseconds that an orderly end may take. */
const CLOSE_TIMEOUT = 2000;

/** What the broker said, such as `NOT_FOUND - no exchange 'a' in vhost '/'`, and not which command it was about. */
export function answerOf(error: unknown): string {
  const reason = reasonOf(error);
  return /with message "(.*)"/s.exec(reason)?.[1] ?? reason;
}

/** Closes a channel, once what was written to it is on its way. */
export async function closeChannel(channel: Channel): Promise<void> {
  await ended(channel, channel.close());
}

/** Closes a connection; one that does not answer is cut. */
export async function closeConnection(model: ChannelModel): Promise<void> {
  await ended(model, model.close());
  (model.connection as unknown as { readonly stream: Duplex }).stream.destroy();
}

/** amqplib does not answer a `close` whose connection breaks, or never reads again. */
async function ended(what: Channel | ChannelModel, closed: Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, CLOSE_TIMEOUT);
  what.once("close", () => resolve());
  closed.then(resolve, () => resolve());
  await promise;
  clearTimeout(timer);
}
