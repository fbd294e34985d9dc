import { createHmac, randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import type { Answer } from "./request.ts";
import type { TestServer } from "./server.ts";
import { TemporaryFolder } from "./temporary-folder.ts";

/** A file of hooks, which a server can read. */
export class HooksFile implements Disposable {
  readonly folder: TemporaryFolder = new TemporaryFolder();
  readonly path: string = this.folder.file("hooks.json");

  constructor(...hooks: object[]) {
    this.set(...hooks);
  }

  set(...hooks: object[]): void {
    this.text = JSON.stringify({ hooks });
  }

  set text(text: string) {
    writeFileSync(this.path, text, { mode: 0o600 });
  }

  [Symbol.dispose](): void {
    this.folder[Symbol.dispose]();
  }
}

export const GITHUB_SECRET = "It's a Secret to Everybody";

/** The hook of a repository. */
export function githubHook(more: object = {}): object {
  return { name: "github", provider: "github", channel: "builds", secrets: [GITHUB_SECRET], ...more };
}

interface DeliveryOptions {
  readonly event?: string;
  /** Its id; a new one if it is left out. */
  readonly delivery?: string;
  readonly secret?: string;
}

/** The headers of a delivery of GitHub. */
export function githubHeaders(
  body: string | Uint8Array,
  { event = "issues", delivery = randomUUID(), secret = GITHUB_SECRET }: DeliveryOptions = {},
): Record<string, string> {
  return {
    "content-type": "application/json",
    "x-github-event": event,
    "x-github-delivery": delivery,
    "x-hub-signature-256": `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`,
  };
}

/** Posts to a hook as GitHub does. */
export function deliver(
  server: TestServer,
  payload: unknown,
  { hook = "github", ...options }: DeliveryOptions & { readonly hook?: string } = {},
): Promise<Answer> {
  const body = JSON.stringify(payload);
  return server.request(`/hooks/${hook}`, { method: "POST", body, headers: githubHeaders(body, options) });
}
