import { EVERYTHING, type ChannelPattern } from "./channel.ts";

/** Who asks, and what they may do. */
export interface Principal {
  readonly subject: string;
  readonly publish: readonly ChannelPattern[];
  readonly subscribe: readonly ChannelPattern[];
  readonly admin: boolean;
  /** Milliseconds since 1970. */
  readonly expires?: number;
}

/** Everyone, while no authentication is configured. */
export const ANYONE: Principal = { subject: "anyone", publish: [EVERYTHING], subscribe: [EVERYTHING], admin: true };
