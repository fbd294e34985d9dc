/**
 * Small texts that are kept with the log until they are deleted. They survive a restart, and all nodes see the same.
 * Every method rejects with `LOG_UNAVAILABLE` while the log cannot be reached.
 */
export interface Records {
  get(kind: string, name: string): Promise<string | undefined>;
  set(kind: string, name: string, value: string): Promise<void>;
  /**
   * Sets a record if its value is still `before`; undefined stands for no record, before or after. Resolves with whether
   * it was: of several callers with the same `before`, one gets true.
   */
  replace(kind: string, name: string, before: string | undefined, value: string | undefined): Promise<boolean>;
  delete(kind: string, name: string): Promise<void>;
  /** All records of a kind by their names; whoever writes them limits how many there are. */
  list(kind: string): Promise<ReadonlyMap<string, string>>;
}

/** Characters of the id of a hub. */
const ID_LENGTH = 10;

/** The id of the hub that these records belong to: the same on all its nodes, and after a restart. Made on first use. */
export async function hubIdIn(records: Records): Promise<string> {
  const made = crypto.randomUUID().replaceAll("-", "").slice(0, ID_LENGTH);
  await records.replace("hub", "id", undefined, made);
  return (await records.get("hub", "id")) ?? made;
}
