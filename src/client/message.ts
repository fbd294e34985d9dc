export type { Message, Receipt } from "../protocol/message.ts";
export type { Gap } from "../protocol/signal.ts";

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
