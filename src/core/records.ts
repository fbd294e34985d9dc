/**
 * Small texts that are kept with the log until they are deleted: they survive a restart, and are the same on all nodes.
 * Every method rejects with `LOG_UNAVAILABLE` while the log cannot be reached.
 */
export interface Records {
  get(kind: string, name: string): Promise<string | undefined>;
  set(kind: string, name: string, value: string): Promise<void>;
  /**
   * Sets a record that is still `before`; undefined stands for a record that does not exist, before or after. Resolves
   * with whether it was: of several callers that found the same, one gets true.
   */
  replace(kind: string, name: string, before: string | undefined, value: string | undefined): Promise<boolean>;
  delete(kind: string, name: string): Promise<void>;
  /** All records of a kind by their names; whoever sets them bounds how many there may be. */
  list(kind: string): Promise<ReadonlyMap<string, string>>;
}

/** Characters of the id of a hub. */
const ID_LENGTH = 10;

/** The id of the hub that these records belong to: the same on all its nodes, and after a restart. */
export async function hubIdIn(records: Records): Promise<string> {
  const made = crypto.randomUUID().replaceAll("-", "").slice(0, ID_LENGTH);
  await records.replace("hub", "id", undefined, made);
  return (await records.get("hub", "id")) ?? made;
}
