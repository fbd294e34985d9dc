import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder of its own for a test, gone when the test ends. */
export class TemporaryFolder {
  readonly path: string = mkdtempSync(join(tmpdir(), "hub-test-"));

  file(name = "hub.db"): string {
    return join(this.path, name);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
