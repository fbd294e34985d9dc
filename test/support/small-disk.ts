import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import type { TestContext } from "node:test";

/** A disk of its own under a folder; skips the test on machines that do not allow to mount one. */
export function smallDisk(context: TestContext, path: string, size: string): Disposable | undefined {
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path]);
  if (mounted.status !== 0) {
    context.skip("a small disk cannot be mounted here; run as root where mount is allowed");
    return undefined;
  }
  return { [Symbol.dispose]: () => void spawnSync("umount", ["-l", path]) };
}

/** Writes until nothing more fits. */
export function fill(path: string): void {
  for (const bytes of [256 * 1024, 4096]) {
    for (;;) {
      try {
        writeFileSync(path, Buffer.alloc(bytes), { flag: "a" });
      } catch {
        break;
      }
    }
  }
}
