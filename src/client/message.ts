/** A message as every door gives it. */
export interface Message<Data = unknown> {
  /** A cursor: what to resume with. `null` for an ephemeral message, which is not kept. */
  readonly id: string | null;
  readonly channel: string;
  readonly event: string;
  readonly data: Data;
  readonly sender: string;
  /** There where a tool published it, as agents do. */
  readonly via?: "tool";
  /** When the log took it, ISO 8601 in UTC. */
  readonly time: string;
}

/** What can no longer be given: the messages behind `after`, up to and with `resumed`. */
export interface Gap {
  /** `expired`: dropped by retention. `unknown_cursor`: another log than was read before, or one restored from a backup. */
  readonly reason: string;
  /** How far this subscription had got. */
  readonly after: string;
  /** From behind here on everything is given. */
  readonly resumed: string;
}

/** What the hub says of a message it took. */
export interface Receipt {
  /** `null` for an ephemeral message. */
  readonly id: string | null;
  readonly channel: string;
  readonly time: string;
  /** Live readers it was offered to. */
  readonly receivers: number;
}

/** A tool as `/mcp/tools/list` tells of it. */
export interface Tool {
  readonly name: string;
  readonly title?: string;
  readonly description?: string;
  readonly inputSchema: Readonly<Record<string, unknown>>;
  readonly outputSchema?: Readonly<Record<string, unknown>>;
}

/** What a tool answers. */
export interface ToolResult {
  readonly content: readonly { readonly type: string; readonly text?: string }[];
  readonly structuredContent?: Readonly<Record<string, unknown>>;
  /** The tool could not take the input, or failed; the text says why. */
  readonly isError?: boolean;
}
