import type { FormatName } from "./formats.ts";

/** Where a server listens, its name already resolved. */
export interface Address {
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  /** The name for the Host header and for TLS. */
  readonly name: string;
}

/** How one server is spoken to. */
export interface Target {
  readonly address: Address;
  readonly format: FormatName;
  /** The path readers ask for. */
  readonly subscribe: string;
  readonly publish: {
    readonly path: string;
    /** Header lines of every request. */
    readonly headers: readonly string[];
    /** What the body has before and after the payload. */
    readonly before: string;
    readonly after: string;
  };
}

/** One run of the load. */
export interface Plan {
  readonly target: Target;
  /** Ports of the nodes that publishers and readers use in turn; the target's own without it. */
  readonly nodes?: { readonly publish: readonly number[]; readonly read: readonly number[] };
  /** Six characters that mark the payloads of this run. */
  readonly run: string;
  readonly readers: number;
  readonly publishers: number;
  /** Publishes per second in total; 0 lets each publisher go on as soon as it has its answer. */
  readonly rate: number;
  readonly seconds: number;
  readonly size: number;
  /**
   * Readers and publishers share one process that never sleeps while it publishes. Waking a sleeping process on another
   * core costs a server more than the write itself, so without this a measurement depends on how fast the load is.
   */
  readonly awake?: boolean;
}

/** Where one of the publishers or readers connects. */
export function addressOf({ target, nodes }: Plan, side: "publish" | "read", index: number): Address {
  const ports = nodes?.[side] ?? [];
  return { ...target.address, port: ports[index % ports.length] ?? target.address.port };
}
