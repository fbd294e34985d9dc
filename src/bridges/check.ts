import type { ConfiguredBridge } from "./config.ts";
import { draftOf } from "./incoming.ts";

/** The result of checking one bridge: a line for each rule, or why it cannot connect. */
export interface BridgeCheck {
  readonly name: string;
  readonly isOk: boolean;
  readonly lines: readonly string[];
}

/** Characters of a payload that are shown. */
const MAX_SHOWN = 200;

/** Connects a bridge, and shows what it would publish for one message of each `in` rule. Changes nothing on the bus. */
export async function checkBridge({ config, kind }: ConfiguredBridge, maxBytes: number): Promise<BridgeCheck> {
  const { name } = config;
  const lines: string[] = [];
  let isOk = true;
  const note = (text: string, isGood = true): void => {
    isOk &&= isGood;
    lines.push(text);
  };
  try {
    const report = (sentence: string): void => note(sentence);
    const bus = await kind.connect(config.connection, { bridge: name, node: "check", report });
    try {
      note("connected");
      for (const [index, rule] of config.in.entries()) {
        try {
          const received = await Promise.race([bus.sample(rule), bus.lost]);
          if (received === undefined) {
            note(`in[${index}]: no message to look at`);
            continue;
          }
          const origin = { bridge: name, kind: config.kind, rule: index, prefixes: kind.prefixes, hub: "", maxBytes };
          const draft = draftOf(received, rule, origin);
          if (typeof draft === "string") note(`in[${index}]: would leave out a message: ${draft}`);
          else {
            const { channel, event, sender, data } = draft;
            const payload = data.slice(0, MAX_SHOWN);
            note(`in[${index}]: would publish on ${channel}: event ${event}, sender ${sender}, data ${payload}`);
          }
        } catch (error) {
          note(`in[${index}]: ${(error as Error).message}`, false);
        }
      }
      for (const [index, { channels }] of config.out.entries()) note(`out[${index}]: sends ${channels.join(", ")}`);
    } finally {
      await bus.close().catch(() => {});
    }
  } catch (error) {
    note((error as Error).message, false);
  }
  return { name, isOk, lines };
}
