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
    const { maxLength, body: field } = this.#rule;
    const pipeline = this.#commands.pipeline();
    for (const { names, headers, body, contentType, key } of messages) {
      const stream = render(this.#rule.stream, names) ?? "";
      const fields: (string | Buffer)[] = Object.entries(headers).flat();
      if (contentType !== undefined) fields.push(CONTENT_TYPE, contentType);
      if (key !== undefined) fields.push(KEY, key);
      fields.push(field, Buffer.from(body ?? []));
      const trim = maxLength === 0 ? [] : ["MAXLEN", "~", maxLength];
      pipeline.call("XADD", stream, ...trim, "*", ...fields);
    }
    const replies = (await pipeline.exec()) ?? [];
    return messages.map((_, index) => {
      const error = replies[index]?.[0] ?? undefined;
      if (error === undefined || REFUSED.test(error.message)) return error;
      if (FORBIDDEN.test(error.message) && isTemplate(this.#rule.stream)) return error;
      throw error;
    });
  }

  async close(): Promise<void> {}
}
