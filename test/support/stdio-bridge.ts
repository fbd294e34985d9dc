import { Cli, type CliOptions } from "./cli.ts";
import { Queue } from "./queue.ts";
import { until } from "./until.ts";

/** A message as a client of the bridge reads it. */
export interface Line {
  readonly jsonrpc: "2.0";
  readonly id?: string | number | null;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number; readonly message: string };
}

const START = 60_000;
const META = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "test", version: "1.0.0" },
  "io.modelcontextprotocol/clientCapabilities": {},
};

/** `sse-mcp-server stdio` as a process of its own, spoken to line by line. */
export class StdioBridge implements AsyncDisposable {
  readonly cli: Cli;
  readonly #lines = new Queue<Line>("a message");

  private constructor(words: readonly string[], options: Pick<CliOptions, "env" | "cwd">) {
    this.cli = new Cli(["stdio", ...words], { ...options, open: true });
    let rest = "";
    this.cli.child.stdout
      .on("data", (text: string) => {
        const lines = (rest + text).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) this.#lines.put(JSON.parse(line) as Line);
      })
      .on("end", () => this.#lines.end());
  }

  /** Starts it; resolves when it reads what it is told. */
  static async open(words: readonly string[], options: Pick<CliOptions, "env" | "cwd"> = {}): Promise<StdioBridge> {
    const bridge = new StdioBridge(words, options);
    const { cli } = bridge;
    // A machine that is busy with other tests takes long to load it.
    await until("it is ready", () => cli.stderr.includes("\n") || cli.code !== undefined, START);
    return bridge;
  }

  /** Writes bytes as they are. */
  write(bytes: string | Uint8Array): void {
    this.cli.child.stdin.write(bytes);
  }

  send(...messages: readonly object[]): void {
    this.write(messages.map((message) => `${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`).join(""));
  }

  /** Sends a request of revision 2026-07-28. */
  modern(id: string | number, method: string, params: object = {}): void {
    this.send({ id, method, params: { ...params, _meta: META } });
  }

  /** Opens a session; resolves with the answer to `initialize`. */
  async initialize(capabilities: object = {}): Promise<Line> {
    const params = { protocolVersion: "2025-11-25", capabilities, clientInfo: { name: "test", version: "1.0.0" } };
    this.send({ id: "initialize", method: "initialize", params });
    const answer = await this.next();
    this.send({ method: "notifications/initialized" });
    return answer;
  }

  /** The next message. */
  async next(): Promise<Line> {
    try {
      return await this.#lines.next();
    } catch (cause) {
      throw new Error(`${(cause as Error).message}; it said ${this.cli.stderr}`, { cause });
    }
  }

  /** The next message that is the answer to this request. */
  async answer(id: string | number | null): Promise<Line> {
    for (;;) {
      const line = await this.next();
      if (line.id === id && line.method === undefined) return line;
    }
  }

  /** Ends standard input; resolves with the exit code. */
  end(): Promise<number> {
    this.cli.child.stdin.end();
    return this.cli.exit();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cli[Symbol.asyncDispose]();
  }
}
