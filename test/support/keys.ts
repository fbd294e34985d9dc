import { writeFileSync } from "node:fs";
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
  readonly #records = new Map<string, object>();

  constructor() {
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

  [Symbol.dispose](): void {
    this.folder[Symbol.dispose]();
  }

  #write(): void {
    writeFileSync(this.path, JSON.stringify({ keys: [...this.#records.values()] }), { mode: 0o600 });
  }
}
