/** Bytes of the objects that hold a message, and of those that hold each name or value of its headers. */
const PER_MESSAGE = 256;
const PER_TEXT = 64;

/**
 * About how many bytes of memory a driver holds for a message: `bytes` of its payload and what names it, `texts` more
 * names and values whose bytes are counted in those, and what is in a table of properties, however deep.
 */
export function heldBytes(bytes: number, texts = 0, table?: object): number {
  let sum = PER_MESSAGE + bytes + PER_TEXT * texts;
  if (table === undefined) return sum;
  const tables = [table];
  // The loop also takes those that it adds.
  for (const each of tables) {
    for (const name in each) {
      const value: unknown = each[name as keyof typeof each];
      if (value === undefined) continue;
      sum += PER_TEXT + name.length;
      if (typeof value === "string") sum += PER_TEXT + value.length;
      else if (ArrayBuffer.isView(value)) sum += PER_TEXT + value.byteLength;
      else if (typeof value === "object" && value !== null) tables.push(value);
    }
  }
  return sum;
}
