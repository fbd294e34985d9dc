import type { Correlation } from "../core/trace.ts";
import { HubError } from "../core/errors.ts";
import { Sealer } from "../core/seal.ts";
import type { SharedStore } from "../core/shared-store.ts";
import type { McpContext } from "./catalog.ts";
import { FileRecords, type SessionTable } from "./legacy/file-records.ts";
import { sweepInterval } from "./legacy/session-records.ts";
import { SessionStore } from "./legacy/session-store.ts";
import { SharedRecords } from "./legacy/shared-records.ts";
import { RequestStates } from "./request-state.ts";

export interface McpOptions extends Omit<McpContext, "states"> {
  readonly shared: SharedStore;
  /** Stores the sessions of the only node; without it they end with the process. */
  readonly file: SessionTable | undefined;
  /** Sessions on this node at the same time. */
  readonly maxSessions: number;
  /** Milliseconds without a request or a stream after which a session ends. */
  readonly idle: number;
  /** Called with the signing key if it outlives the process, and again whenever it changes. */
  readonly onKey: (key: Uint8Array) => void;
  /** Called with internal errors. */
  readonly report: (error: unknown, correlation?: Correlation) => void;
}

export interface OpenedMcp {
  readonly context: McpContext;
  readonly sessions: SessionStore;
  close(): void;
}

/** The name of the signing key in the shared store. */
const SIGNING_KEY_NAME = "secret";
const KEY_BYTES = 32;
/** Milliseconds between two looks for the signing key. */
const CHECK_INTERVAL = 30_000;

/** Makes what `/mcp` needs: the methods' context, and the sessions of the legacy era. */
export async function openMcp(options: McpOptions): Promise<OpenedMcp> {
  const { shared, file, maxSessions, idle, onKey, report, ...services } = options;
  let key = shared.isShared ? await getOrCreateSigningKey(shared) : file?.key;
  if (key !== undefined) onKey(key);
  const sealer = new Sealer(key);
  const context: McpContext = { ...services, states: new RequestStates(sealer) };
  const stores = storesOf(shared, file, { idle, most: maxSessions });
  const sessions = new SessionStore(context, { most: maxSessions, idle, sealer, report, ...stores });
  // An engine that lost the signing key gets it again, before a node that starts makes one that the others do not have.
  const look = async (): Promise<void> => {
    const found = await getOrCreateSigningKey(shared, key);
    if (found.join() === key?.join()) return;
    key = found;
    sealer.use(key);
    onKey(key);
  };
  const looking = setInterval(() => {
    if (shared.isShared) look().catch(() => {});
  }, CHECK_INTERVAL).unref();
  const close = (): void => {
    clearInterval(looking);
    sessions.close();
    file?.close();
  };
  return { context, sessions, close };
}

/** What sessions are stored in. */
function storesOf(
  shared: SharedStore,
  file: SessionTable | undefined,
  bounds: { readonly idle: number; readonly most: number },
): Pick<ConstructorParameters<typeof SessionStore>[1], "records" | "shared"> {
  // Twice: use between two looks counts, and a look may be late.
  const lifetime = bounds.idle + 2 * sweepInterval(bounds.idle);
  if (shared.isShared) return { records: new SharedRecords(shared, lifetime), shared };
  return file === undefined ? {} : { records: new FileRecords(file, bounds) };
}

/** The key that all nodes sign with, which is `mine` if there is none yet. */
async function getOrCreateSigningKey(
  shared: SharedStore,
  mine: Uint8Array = crypto.getRandomValues(new Uint8Array(KEY_BYTES)),
): Promise<Uint8Array<ArrayBuffer>> {
  const hex = Array.from(mine, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const text = await shared.getOrSet(SIGNING_KEY_NAME, hex);
  if (/^[0-9a-f]{64}$/.test(text)) return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  const sentence = `The signing key that the nodes share ({PREFIX}:value:${SIGNING_KEY_NAME}) is not ${2 * KEY_BYTES} hexadecimal digits; delete it and restart the nodes`;
  throw new HubError("LOG_UNAVAILABLE", sentence);
}
