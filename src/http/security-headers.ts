/**
 * What every response tells a browser. Whether all of a domain speaks HTTPS is for the proxy in front to say, so there
 * is no Strict-Transport-Security.
 */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  // Pages load what they need from our own origin and nothing else; data loads nothing.
  "content-security-policy": [
    "default-src 'none'",
    "base-uri 'none'",
    "connect-src 'self'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "img-src 'self' data:",
    "script-src 'self'",
    "style-src 'self'",
  ].join("; "),
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-site",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};
