import { Refusals } from "../../auth/refusals.ts";
import { ConfigError } from "../../core/errors.ts";
import { FileFault, fileVersion, FileWatch, readPrivateFile, sharedFileSentence } from "../../private-file.ts";
import { attempt, type AttemptContext } from "./attempt.ts";
import { Deliveries, type DeliveryRecord } from "./deliveries.ts";
import type { Delivery } from "./delivery.ts";
import { fetchText } from "./fetch-text.ts";
import { openHook, secretFiles, senderOf, type Hook, type HookTools } from "./hook.ts";
import { HookFault, hookRecords } from "./hook-file.ts";
import type { Received } from "./receive.ts";

/** A hook as its operators see it. */
export interface HookListing {
  readonly name: string;
  readonly provider: string;
  readonly channel: string;
  readonly sender: string;
  /** Whether its messages wake agents: all, none, or some. */
  readonly wakes: boolean | "some";
  readonly deliveries: readonly DeliveryRecord[];
}

/** The log. */
type HooksLog = Readonly<Record<"info" | "warn" | "error", (sentence: string) => void>>;

/** The hooks in a file, which is read again within a second when it or a secret that it names changes. */
export class Hooks {
  readonly deliveries: Deliveries = new Deliveries();
  readonly #path: string;
  readonly #environment: HookTools["environment"];
  readonly #log: HooksLog;
  readonly #refusals: Refusals;
  readonly #watch: FileWatch;
  #hooks: ReadonlyMap<string, Hook>;
  /** The files that secrets come from. */
  #secretFiles: readonly string[] = [];

  /** Throws `ConfigError` if the file cannot be taken as it is. */
  constructor(path: string, environment: HookTools["environment"], log: HooksLog) {
    this.#path = path;
    this.#environment = environment;
    this.#log = log;
    this.#refusals = new Refusals(({ reason = "" }) => log.warn(reason), ["delivery", "deliveries"]);
    try {
      // Before it is read, so that a change meanwhile counts as another version.
      const version = fileVersion(path);
      this.#hooks = this.#read(new Map());
      const seen = [version, ...this.#secretFiles.map(fileVersion)].join("\n");
      this.#watch = new FileWatch(
        () => [path, ...this.#secretFiles],
        () => this.#reload(),
        seen,
      );
    } catch (cause) {
      throw new ConfigError(`HOOKS_FILE is ${JSON.stringify(path)}, ${refusalOf(cause, path)}`, { cause });
    }
  }

  get(name: string): Hook | undefined {
    return this.#hooks.get(name);
  }

  /** All hooks with their last deliveries at this node, in the order of the file. */
  list(): readonly HookListing[] {
    return Array.from(this.#hooks.values(), ({ record: { name, provider, channel, wakes } }) => ({
      name,
      provider,
      channel,
      sender: senderOf(name),
      wakes: typeof wakes === "boolean" ? wakes : "some",
      deliveries: this.deliveries.of(name),
    }));
  }

  /** Receives a delivery and remembers its result. Rejects as `receive` does, or with `RATE_LIMITED`. */
  receive(hook: Hook, delivery: Delivery, context: AttemptContext): Promise<Received> {
    const { name } = hook.record;
    return attempt(hook, delivery, context, {
      fetchText,
      remember: (record) => this.deliveries.add(record),
      refused: (cause) => this.#refusals.count(`${context.address} to the hook ${name}`, cause),
    });
  }

  close(): void {
    this.#watch.close();
    this.#refusals.close();
  }

  /** Uses the whole file or nothing of it, so that a mistake in one hook ends no other. */
  #reload(): void {
    const before = this.#hooks;
    try {
      this.#hooks = this.#read(before);
    } catch (cause) {
      const sentence = `HOOKS_FILE is ${JSON.stringify(this.#path)}, ${refusalOf(cause, this.#path)}`;
      this.#log.error(`${sentence}; until then the hooks stay what they were`);
      return;
    }
    this.deliveries.keep(new Set(this.#hooks.keys()));
    const names = (from: ReadonlyMap<string, Hook>, other: ReadonlyMap<string, Hook>): string =>
      [...from.keys()]
        .filter((name) => from.get(name) !== other.get(name))
        .slice(0, 10)
        .join(", ") || "none";
    const gone =
      [...before.keys()]
        .filter((name) => !this.#hooks.has(name))
        .slice(0, 10)
        .join(", ") || "none";
    this.#log.info(`the hooks were read again; new or changed: ${names(this.#hooks, before)}; removed: ${gone}`);
  }

  /** Reads the file; a hook that has not changed is kept, with the keys and certificates that it has fetched. */
  #read(before: ReadonlyMap<string, Hook>): ReadonlyMap<string, Hook> {
    const { text, isShared } = readPrivateFile(this.#path);
    if (isShared) this.#log.warn(sharedFileSentence(this.#path, "HOOKS_FILE"));
    const records = hookRecords(text);
    const hooks = records.map((record, index): [string, Hook] => {
      const hook = openHook(record, `hooks[${index}]`, {
        fetchText,
        report: (sentence) => this.#log.warn(`the hook ${record.name}: ${sentence}`),
        environment: this.#environment,
      });
      const known = before.get(record.name);
      return [record.name, known !== undefined && known.identity === hook.identity ? known : hook];
    });
    this.#secretFiles = [...new Set(records.flatMap(secretFiles))];
    return new Map(hooks);
  }
}

/** Why the file cannot be taken, and what to do, as the rest of a sentence. */
function refusalOf(cause: unknown, path: string): string {
  if (cause instanceof HookFault || cause instanceof FileFault) return `which cannot be taken: ${cause.message}`;
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code !== "ENOENT") return `which cannot be read (${code ?? message})`;
  return `which does not exist; make it with: sse-mcp-server hook new github --channel builds --file ${JSON.stringify(path)}`;
}
