// What the address of the page says: a channel, and perhaps a message of it.

/** The part of an address that names a channel, or a message of it. */
export function fragmentOf(channel: string, id?: string): string {
  return `#${encodeURIComponent(channel)}${id === undefined ? "" : `/${id}`}`;
}

/** What the address of the page names. */
export function addressed(): { readonly channel: string | null; readonly at: string | undefined } {
  // Names of channels have no slash: what follows one is the id of a message.
  const [, hashed = "", at = ""] = /^([^/]*)(?:\/(.*))?$/s.exec(decoded(location.hash.slice(1))) ?? [];
  const channel = hashed || new URLSearchParams(location.search).get("channel");
  return { channel, at: at === "" ? undefined : at };
}

/** Decodes a part of an address; returns it unchanged if it is not a valid encoding. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
