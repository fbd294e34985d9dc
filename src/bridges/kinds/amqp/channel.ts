import type { Duplex } from "node:stream";
import type { Channel, ChannelModel } from "amqplib";
import { reasonOf } from "../../server-connection.ts";

/** Milliseconds that the broker has to answer a close. */
const CLOSE_TIMEOUT = 2000;

/** What the broker said, such as `NOT_FOUND - no exchange 'a' in vhost '/'`, without the command that amqplib puts before it. */
export function brokerMessage(error: unknown): string {
  const reason = reasonOf(error);
  return /with message "(.*)"/s.exec(reason)?.[1] ?? reason;
}

/** Opens a channel for a few commands, whose errors reject the commands. */
export async function openChannel(model: ChannelModel): Promise<Channel> {
  const channel = await model.createChannel();
  channel.on("error", () => {});
  return channel;
}

/** Closes a channel after what was written to it. */
export async function closeChannel(channel: Channel): Promise<void> {
  await ended(channel, channel.close());
}

/** Closes a connection; if the broker does not answer, destroys its socket. */
export async function closeConnection(model: ChannelModel): Promise<void> {
  await ended(model, model.close());
  (model.connection as unknown as { readonly stream: Duplex }).stream.destroy();
}

/** Waits for the end of `closed`, which amqplib leaves pending if the connection breaks meanwhile or is never read again. */
async function ended(what: Channel | ChannelModel, closed: Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, CLOSE_TIMEOUT);
  what.once("close", () => resolve());
  closed.then(resolve, () => resolve());
  await promise;
  clearTimeout(timer);
}
