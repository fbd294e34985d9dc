import type { ChannelPattern } from "../../protocol/channel.ts";
import { covers } from "../../protocol/channel.ts";

/** Who looks at the page, as `/session` says. */
export interface Session {
  readonly subject: string;
  readonly kind: "session" | "anonymous" | "jwt" | "key" | "certificate";
  readonly publish: readonly ChannelPattern[];
  readonly subscribe: readonly ChannelPattern[];
  readonly admin: boolean;
  /** ISO 8601; null if it has no end. */
  readonly expires: string | null;
  readonly login: "none" | "credential" | "provider";
}

/** Who someone is for whom there is no authentication: no one who needs a name or a right. */
export const EVERYONE: Session = {
  subject: "anyone",
  kind: "anonymous",
  publish: [],
  subscribe: [],
  admin: true,
  expires: null,
  login: "none",
};

/** Asks who looks at the page; no one, if the server does not say. */
export async function loadSession(): Promise<Session> {
  try {
    const response = await fetch("session", { cache: "no-store" });
    return (await response.json()) as Session;
  } catch {
    return { ...EVERYONE, admin: false, login: "credential" };
  }
}

/** Ends the session, and shows the page as it is for everyone. */
export async function logOut(): Promise<void> {
  await fetch("session", { method: "DELETE" }).catch(() => {});
  location.reload();
}

/** The address of the page to log in on, which leads back here. */
export function loginAddress(): string {
  const here = typeof location === "undefined" ? "/" : location.pathname + location.search + location.hash;
  return `login?next=${encodeURIComponent(here)}`;
}

/** The name that someone has proved; undefined if they may call themselves what they like. */
export function verifiedName({ kind, subject }: Session): string | undefined {
  return kind === "anonymous" ? undefined : subject;
}

/** Whether someone may read a channel. */
export function mayRead({ admin, subscribe }: Session, channel: string): boolean {
  return admin || subscribe.some((granted) => covers(granted, channel as ChannelPattern));
}

/** Whether someone may publish on a channel. */
export function mayWrite({ admin, publish }: Session, channel: string): boolean {
  return admin || publish.some((granted) => covers(granted, channel as ChannelPattern));
}

/** Whether someone may read, or publish on, anything at all. */
export function mayAnything({ admin, subscribe, publish }: Session): boolean {
  return admin || subscribe.length > 0 || publish.length > 0;
}
