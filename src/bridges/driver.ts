import { HubError } from "../core/errors.ts";

/** Loads a driver, which may not be installed; then it rejects with the command that installs it. */
export async function loadDriver<T>(load: () => Promise<T>, packages: string): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw cause;
    throw new HubError("INVALID_INPUT", `This kind of bridge needs a driver; run: npm install ${packages}`, { cause });
  }
}
