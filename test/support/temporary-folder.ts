import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MEMORY = "/dev/shm";
/** Bytes that must be free there: containers often have 64 MiB. */
const ROOM = 2 * 1024 ** 3;
// A log is synchronized with its disk after every message that must be safe; no test cuts the power, so none can tell.
const FOLDER = hasRoom() ? MEMORY : tmpdir();

/** A folder of its own for a test, gone when the test ends; in memory if there is room. */
export class TemporaryFolder {
  readonly path: string = mkdtempSync(join(FOLDER, "hub-test-"));

  file(name = "hub.db"): string {
    return join(this.path, name);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

function hasRoom(): boolean {
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    return bavail * bsize >= ROOM;
  } catch {
    return false;
  }
}
