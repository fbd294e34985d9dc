import type { Redis } from "ioredis";
import type { Outgoing, Target } from "../../bus.ts";
import { isTemplate, render } from "../../template.ts";
import { CONTENT_TYPE, KEY } from "./entry.ts";
import type { RedisOut } from "./rules.ts";

/** Errors that the same entry always meets. */
const REFUSED = /^(?:WRONGTYPE|ERR Invalid|ERR .*too (?:large|long))/;
/** The same if messages name their streams: others may be written. */
const FORBIDDEN = /^NOPERM/;

/** Appends to a stream. */
export class RedisTarget implements Target {
  readonly #commands: Redis;
  readonly #rule: RedisOut;

  constructor(commands: Redis, rule: RedisOut) {
    this.#commands = commands;
    this.#rule = rule;
  }

  async send(messages: readonly Outgoing[]): Promise<readonly (Error | undefined)[]> {
    const { maxLength, body: field, stream: template } = this.#rule;
    const streams = messages.map(({ names }) => render(template, names));
    const pipeline = this.#commands.pipeline();
    for (const [index, { headers, body, contentType, key }] of messages.entries()) {
      const stream = streams[index];
      if (stream === undefined) continue;
      const fields: (string | Buffer)[] = Object.entries(headers).flat();
      if (contentType !== undefined) fields.push(CONTENT_TYPE, contentType);
      if (key !== undefined) fields.push(KEY, key);
      fields.push(field, Buffer.from(body ?? []));
      const trim = maxLength === 0 ? [] : ["MAXLEN", "~", maxLength];
      pipeline.call("XADD", stream, ...trim, "*", ...fields);
    }
    const replies = (await pipeline.exec()) ?? [];
    let at = 0;
    return streams.map((stream) => {
      if (stream === undefined) return new Error(`it has no value for a placeholder of its stream, ${template}`);
      const error = replies[at++]?.[0] ?? undefined;
      if (error === undefined || REFUSED.test(error.message)) return error;
      if (FORBIDDEN.test(error.message) && isTemplate(template)) return error;
      throw error;
    });
  }

  async close(): Promise<void> {}
}
