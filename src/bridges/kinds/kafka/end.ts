import type { Base } from "@platformatic/kafka";
import type { ClientOptions, KafkaDriver } from "./driver.ts";

/** What a source or target of a bridge is made with. */
export interface EndOptions<Rule> {
  readonly driver: KafkaDriver;
  readonly options: ClientOptions;
  readonly rule: Rule;
  /** Called with a sentence for the operator. */
  readonly report: (sentence: string) => void;
  /** Takes note of what a client says about its connections. */
  readonly watch: (client: Pick<Base, "on">) => void;
  /** Ends the whole bridge: it connects again. */
  readonly fail: (error: Error) => void;
}
