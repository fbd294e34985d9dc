import { SqliteLog } from "../../../src/logs/sqlite/log.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";
import { describeLog, type OpenLog } from "../log.suite.ts";

for (const durability of ["normal", "full"] as const) {
  const open: OpenLog = async ({ retention, now, elapsed }) => {
    const folder = new TemporaryFolder();
    const log = await SqliteLog.open({ path: folder.file(), retention, durability, now, elapsed });
    const end = async (): Promise<void> => {
      await log.close();
      folder[Symbol.dispose]();
    };
    return Object.assign(log, { [Symbol.asyncDispose]: end });
  };
  describeLog(`a log in SQLite, durability ${durability}`, open);
}
