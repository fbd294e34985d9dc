// What a person may call a channel; the server says the same of what comes to it.

const NAME = /^[\w-]+(?:\.[\w-]+)*$/;
const MAX_LENGTH = 128;
const SHOWN = 32;

/** Why a text cannot be the name of a channel, with one that can; undefined if it can. */
export function channelProblem(text: string): string | undefined {
  const given = `Not a channel: ${JSON.stringify(text.length > MAX_LENGTH ? `${text.slice(0, SHOWN)}…` : text)}`;
  if (!NAME.test(text)) {
    return `${given}; use words joined by dots, of letters A–Z, digits, - and _, such as ${nearestName(text)}`;
  }
  if (text.length > MAX_LENGTH) return `${given}; it has ${text.length} characters; at most ${MAX_LENGTH} are allowed`;
  if (!isReserved(text)) return undefined;
  return `${given}; hub and hub.* are reserved for the server's own messages; use another first word`;
}

/** A name as near to this text as the letters allow. */
export function nearestName(text: string): string {
  const plain = text.normalize("NFKD").replace(/\p{M}/gu, "");
  const words = plain.split(".").map((word) => word.replace(/[^\w-]+/g, "-").replace(/^-+|-+$/g, ""));
  const name = words
    .filter((word) => word !== "")
    .join(".")
    .slice(0, MAX_LENGTH)
    .replace(/\.$/, "");
  return name === "" || isReserved(name) ? "support-team" : name;
}

/** The address of a channel that is to be called by this text: always the same for a text. */
export function addressFor(text: string): string {
  const near = nearestName(text);
  const hasLetters = /[A-Za-z0-9]/.test(text.normalize("NFKD"));
  return hasLetters ? near.toLowerCase() : `channel-${hashOf(text.normalize("NFC").trim())}`;
}

function hashOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
  return hash.toString(36);
}

function isReserved(name: string): boolean {
  return name === "hub" || name.startsWith("hub.");
}
