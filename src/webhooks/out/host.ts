const LOOPBACK_NAME = /(?:^|\.)localhost\.?$/;

/** Whether a URL names this machine without an address (RFC 6761). */
export function isLoopbackName({ hostname }: URL): boolean {
  return LOOPBACK_NAME.test(hostname);
}

/** The name or address of a URL, without the brackets around IPv6. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, "");
}
