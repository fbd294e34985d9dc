import type { FileInfo } from "../core/files.ts";

const UNKNOWN = "application/octet-stream";
const MEDIA_TYPE = /^[a-z\d][\w.+-]{0,63}\/[a-z\d][\w.+-]{0,63}$/;
/** Pictures that browsers show and that can hold no script: SVG is a document. */
const SHOWN: ReadonlySet<string> = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"]);
/** What some program could take for a page or a script of this origin. */
const ACTIVE = /html|xml|svg|script|pdf|shockwave|x-font|manifest/;
const YEAR = 31_536_000;

/** The media type that a Content-Type says, without its parameters. */
export function mediaType(contentType: string): string {
  const type = contentType.replace(/;.*/s, "").trim().toLowerCase();
  return MEDIA_TYPE.test(type) ? type : UNKNOWN;
}

/** The headers with which a file is answered: nothing of it may run on this origin, whatever it is. */
export function fileHeaders({ name, type, size }: FileInfo): Record<string, string> {
  const isShown = SHOWN.has(type);
  return {
    "content-type": ACTIVE.test(type) ? UNKNOWN : type,
    "content-length": String(size),
    "content-disposition": `${isShown ? "inline" : "attachment"}; filename*=UTF-8''${percentEncoded(name)}`,
    "content-security-policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    // Not by caches that others share: who asks needs a credential, if the hub asks for any.
    "cache-control": `private, max-age=${YEAR}, immutable`,
  };
}

/** RFC 8187 section 3.2. */
function percentEncoded(name: string): string {
  return encodeURIComponent(name).replace(/['()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
