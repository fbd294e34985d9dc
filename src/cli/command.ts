/** One word of the command line: `sse-mcp-server NAME …`. */
export interface Command {
  readonly name: string;
  /** One line for `--help`. */
  readonly summary: string;
  /** The whole text of `sse-mcp-server NAME --help`. */
  readonly help: string;
  /** Runs with the words after the name; resolves with the exit code. */
  run(words: readonly string[]): Promise<number>;
}
