import { hash as hashOf } from "node:crypto";
import { ConfigError } from "../core/errors.ts";
import { maySubscribe, type Principal } from "../core/principal.ts";
import type { SharedStore } from "../core/shared-store.ts";
import { FileFault, fileVersion, FileWatch, sharedFileSentence } from "../private-file.ts";
import { covers, uncovered } from "../protocol/channel.ts";
import { isLikeApiKey, isSecret, parsedApiKey, secretHash } from "./api-key.ts";
import type { Audit } from "./audit.ts";
import type { TokenVerifier } from "./authenticator.ts";
import { readKeyFile } from "./key-file.ts";
import type { KeyRecord } from "./key-record.ts";
import type { Lifetimes } from "./lifetimes.ts";
import { Revocations } from "./revocations.ts";

interface Key {
  readonly record: KeyRecord;
  readonly hash: Uint8Array;
  /** The same on all nodes whose files have the same of it. */
  readonly digest: string;
  /** One for all requests with this key, until the key changes. */
  readonly principal: Principal;
}

interface ApiKeysOptions {
  /** What is open by whose key ends with the key. */
  readonly lifetimes: Lifetimes;
  readonly audit: Audit;
}

/** Keys of which one change of the file is told one by one. */
const MAX_TOLD = 100;
/** Before the id of a key, in the id of its principal. */
const ID_PREFIX = "key-";
/** Compared with secrets of unknown keys, so that those take as long as wrong ones. */
const NO_HASH = secretHash("");

/** The API keys in a file, which is read again within a second when it changes. */
export class ApiKeys implements TokenVerifier {
  readonly #path: string;
  readonly #lifetimes: Lifetimes;
  readonly #audit: Audit;
  readonly #watch: FileWatch;
  #keys: ReadonlyMap<string, Key>;
  /** Undefined if there are no other nodes. */
  #revocations: Revocations | undefined;

  /** Throws `ConfigError` if the file cannot be taken as it is. */
  constructor(path: string, { lifetimes, audit }: ApiKeysOptions) {
    this.#path = path;
    this.#lifetimes = lifetimes;
    this.#audit = audit;
    let version: string;
    try {
      // Looked at first: what changes afterwards is another version.
      version = fileVersion(path);
      this.#keys = this.#read(new Map());
    } catch (cause) {
      throw new ConfigError(`API_KEYS_FILE is ${JSON.stringify(path)}, ${refusalOf(cause, path)}`, { cause });
    }
    this.#watch = new FileWatch(
      () => [path],
      () => this.#reload(),
      version,
    );
  }

  /** From now on, keys that any node revokes or narrows are good on none; resolves when it is known which they are. */
  async share(shared: SharedStore): Promise<void> {
    const revocations = new Revocations(shared, (digest) => this.#revoked(digest));
    this.#revocations = revocations;
    revocations.keep(this.#digests());
    await revocations.look();
  }

  accepts(token: string): boolean {
    return isLikeApiKey(token);
  }

  verify(token: string): Principal | undefined {
    const given = parsedApiKey(token);
    if (given === undefined) return undefined;
    const key = this.#current(given.id);
    if (!isSecret(given.secret, key?.hash ?? NO_HASH)) return undefined;
    return (key?.principal.expires ?? Infinity) > Date.now() ? key?.principal : undefined;
  }

  /** Whether a principal has its rights from a key that no longer grants all of them. */
  isGone(principal: Principal): boolean {
    if (!isOfKey(principal)) return false;
    const current = this.#current(principal.id.slice(ID_PREFIX.length))?.principal;
    return current !== principal && (current === undefined || !grantsAllOf(current, principal));
  }

  close(): void {
    this.#watch.close();
    this.#revocations?.close();
  }

  /** The key of an id, unless it is revoked. */
  #current(id: string): Key | undefined {
    const key = this.#keys.get(id);
    return key === undefined || this.#revocations?.has(key.digest) ? undefined : key;
  }

  #digests(): string[] {
    return Array.from(this.#keys.values(), ({ digest }) => digest);
  }

  /** Another node no longer takes a key as it is in this node's file. */
  #revoked(digest: string): void {
    for (const { record, digest: own } of this.#keys.values()) {
      if (own !== digest) continue;
      this.#lifetimes.revoke(`${ID_PREFIX}${record.id}`, (held) => this.isGone(held));
      const reason = `this key was revoked or changed on a node of this hub, but ${this.#path} has it as it was; bring the file up to date, and if it is to be good again, make a new key`;
      this.#audit({ level: "warn", action: "key_revoked", subject: record.name, id: record.id, reason });
    }
  }

  /** Takes the whole file or nothing of it: half a file must not revoke the other half of the keys. */
  #reload(): void {
    const before = this.#keys;
    try {
      this.#keys = this.#read(before);
    } catch (cause) {
      const reason = `API_KEYS_FILE is ${JSON.stringify(this.#path)}, ${refusalOf(cause, this.#path)}; until then the keys stay what they were`;
      this.#audit({ level: "error", action: "keys_refused", reason });
      return;
    }
    const revoked: string[] = [];
    const changes: { readonly action: string; readonly record: KeyRecord }[] = [];
    for (const [id, { record, hash, digest, principal }] of before) {
      const now = this.#keys.get(id);
      if (now?.record === record) continue;
      const isOther = now === undefined || Buffer.compare(now.hash, hash) !== 0;
      if (isOther || !grantsAllOf(now.principal, principal)) revoked.push(digest);
      this.#lifetimes.revoke(`${ID_PREFIX}${id}`, (held) => isOther || this.isGone(held));
      changes.push(
        now === undefined ? { action: "key_revoked", record } : { action: "key_changed", record: now.record },
      );
    }
    this.#revocations?.keep(this.#digests(), revoked);
    for (const [id, { record }] of this.#keys) if (!before.has(id)) changes.push({ action: "key_created", record });
    for (const { action, record } of changes.slice(0, MAX_TOLD)) {
      this.#audit({ level: "info", action, subject: record.name, id: record.id });
    }
    const untold = changes.length - MAX_TOLD;
    if (untold > 0) this.#audit({ level: "info", action: "keys_changed", reason: `and ${untold} more keys changed` });
  }

  /** Keys that are what they were keep their principals. */
  #read(before: ReadonlyMap<string, Key>): ReadonlyMap<string, Key> {
    const { keys, isShared } = readKeyFile(this.#path);
    if (isShared) {
      const reason = sharedFileSentence(this.#path, "API_KEYS_FILE");
      this.#audit({ level: "warn", action: "keys_shared", reason });
    }
    return new Map(
      keys.map((record) => {
        const known = before.get(record.id);
        const isSame = JSON.stringify(known?.record) === JSON.stringify(record);
        return [record.id, known !== undefined && isSame ? known : keyOf(record)];
      }),
    );
  }
}

/** Whether a principal has its rights from an API key. */
export function isOfKey({ kind, id }: Principal): boolean {
  return (kind === "key" || kind === "session") && id.startsWith(ID_PREFIX);
}

function keyOf(record: KeyRecord): Key {
  const { id, hash, name, publish, subscribe, admin, sendAs, expires } = record;
  const principal: Principal = {
    subject: name,
    kind: "key",
    id: `${ID_PREFIX}${id}`,
    publish: uncovered(publish),
    subscribe: uncovered(subscribe),
    admin,
    sendAs,
    ...(expires === undefined ? {} : { expires: Date.parse(expires) }),
  };
  // By the grants and not by the record: the versions of two nodes may differ in what else it has.
  const digest = hashOf("sha256", JSON.stringify([hash, Object.entries(principal)]), "base64url");
  return { record, hash: Buffer.from(hash, "hex"), digest, principal };
}

/** Whether a principal may do all that another may, as long and under the same name. */
function grantsAllOf(principal: Principal, other: Principal): boolean {
  const { subject, admin, sendAs, publish, expires = Infinity } = principal;
  if (subject !== other.subject || (other.sendAs && !sendAs) || expires < (other.expires ?? Infinity)) return false;
  if (admin || other.admin) return admin;
  const mayPublishAll = other.publish.every((pattern) => publish.some((granted) => covers(granted, pattern)));
  return mayPublishAll && other.subscribe.every((pattern) => maySubscribe(principal, pattern));
}

/** Why the file cannot be taken, and what to do, as the rest of a sentence. */
function refusalOf(cause: unknown, path: string): string {
  if (cause instanceof FileFault) return `which cannot be taken: ${cause.message}`;
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code !== "ENOENT") return `which cannot be read (${code ?? message})`;
  return `which does not exist; make it with: sse-mcp-server key create --name NAME --subscribe '*' --file ${JSON.stringify(path)}`;
}
