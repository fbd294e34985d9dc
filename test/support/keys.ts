import { readFileSync, writeFileSync } from "node:fs";
import { apiKeyText, newApiKey, secretHash } from "../../src/auth/api-key.ts";
import { TemporaryFolder } from "./temporary-folder.ts";

/** What a key of a test may do; what is left out it may not. */
export interface KeyGrants {
  readonly publish?: readonly string[];
  readonly subscribe?: readonly string[];
  readonly admin?: boolean;
  readonly sendAs?: boolean;
  /** In ISO 8601. */
  readonly expires?: string;
}

/** A file of API keys, which a server can read. */
export class KeyRing implements Disposable {
  readonly folder: TemporaryFolder = new TemporaryFolder();
  readonly path: string = this.folder.file("keys.json");
  readonly #records: Map<string, object>;

  constructor(records: ReadonlyMap<string, object> = new Map()) {
    this.#records = new Map(records);
    this.#write();
  }

  /** Adds a key of this name; returns it as its holder has it. */
  add(name: string, grants: KeyGrants = {}): string {
    const key = newApiKey();
    const hash = secretHash(key.secret).toString("hex");
    this.#records.set(name, { id: key.id, hash, name, created: new Date().toISOString(), ...grants });
    this.#write();
    return apiKeyText(key);
  }

  revoke(name: string): void {
    this.#records.delete(name);
    this.#write();
  }

  /** Changes what a key may do. */
  change(name: string, grants: KeyGrants): void {
    this.#records.set(name, { ...this.#records.get(name), ...grants });
    this.#write();
  }

  /** A file of its own with the same keys. */
  copy(): KeyRing {
    return new KeyRing(this.#records);
  }

  /** What is in the file. */
  get text(): string {
    return readFileSync(this.path, "utf8");
  }

  set text(text: string) {
    writeFileSync(this.path, text, { mode: 0o600 });
  }

  [Symbol.dispose](): void {
    this.folder[Symbol.dispose]();
  }

  #write(): void {
    this.text = JSON.stringify({ keys: [...this.#records.values()] });
  }
}
