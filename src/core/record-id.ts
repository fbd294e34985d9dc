/** Hexadecimal digits of the id of a record, such as a question or a scheduled message. */
const LENGTH = 24;

/** An id that no one can guess. */
export function randomId(): string {
  return hex(crypto.getRandomValues(new Uint8Array(LENGTH / 2)));
}

/** The same id for the same text, on every node. */
export async function digestId(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return hex(new Uint8Array(bytes)).slice(0, LENGTH);
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
