/** The header in which webhooks, and those who publish what they were sent, say which hubs a message came through. */
export const HUB_PATH_HEADER = "hub-path";
/** Hubs that a message may come through. */
const MAX_HOPS = 8;
/** Words of a path that are looked at; what comes after so many is no path of hubs. */
const MAX_WORDS = 64;
const HUB_ID = /^[\w-]{1,64}$/;

/**
 * The ids of the hubs that a message came through, as others wrote them: separated by commas. Words that cannot be ids
 * are left out, so that what is kept, and sent on in headers, holds nothing else.
 */
export function hubPath(text: string | undefined): readonly string[] {
  if (text === undefined || text === "") return [];
  return text
    .split(",", MAX_WORDS)
    .map((word) => word.trim())
    .filter((word) => HUB_ID.test(word));
}

/** The `source` of the CloudEvents that a hub sends: its public address, or its id if that is not configured. */
export function hubSource(publicUrl: string, hubId: string): string {
  return publicUrl === "" ? `hub:${hubId}` : publicUrl;
}

/** Whether a message was in this hub before, or came through so many that it may go on for ever. */
export function isLoop(path: readonly string[], hubId: string): boolean {
  return path.length >= MAX_HOPS || path.includes(hubId);
}
