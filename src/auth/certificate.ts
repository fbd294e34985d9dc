import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { TLSSocket, type PeerCertificate } from "node:tls";
import { uncovered, type ChannelPattern } from "../protocol/channel.ts";
import type { Principal } from "../core/principal.ts";
import type { RequestVerifier } from "./authenticator.ts";
import { invalidCredential } from "./credential.ts";

/** What the certificates of clients grant: a pattern to all of them, `NAME=PATTERN` to those with that name. */
export interface CertificateGrants {
  readonly certificatePublish: readonly string[];
  readonly certificateSubscribe: readonly string[];
}

/** Characters of a name. */
const MAX_NAME = 128;
/** The first name of a certificate that has none in its subject, as Node writes it. */
const ALTERNATIVE = /^(?:URI|DNS|email):([^\s,"]+)/;

/** Knows clients by the certificates that they showed when they connected (mutual TLS). */
export class CertificateVerifier implements RequestVerifier {
  readonly #grants: CertificateGrants;
  /** A connection has one certificate for as long as it lasts. */
  readonly #principals = new WeakMap<Socket, Principal>();

  constructor(grants: CertificateGrants) {
    this.#grants = grants;
  }

  verify({ socket }: Pick<IncomingMessage, "socket">): Principal | undefined {
    if (!(socket instanceof TLSSocket)) return undefined;
    const principal = this.#principals.get(socket) ?? this.#principalOf(socket);
    if (principal === undefined) return undefined;
    if ((principal.expires ?? Infinity) <= Date.now()) throw invalidCredential();
    this.#principals.set(socket, principal);
    return principal;
  }

  #principalOf(socket: TLSSocket): Principal | undefined {
    // An empty object if there is none; a resumed connection without one counts as authorized.
    const certificate: Partial<PeerCertificate> = socket.getPeerCertificate();
    if (certificate.raw === undefined) return undefined;
    const name = nameOf(certificate);
    if (!socket.authorized || name === undefined) throw invalidCredential(socket.authorizationError);
    const { certificatePublish, certificateSubscribe } = this.#grants;
    return {
      subject: name,
      kind: "certificate",
      id: `certificate|${name}`,
      publish: granted(certificatePublish, name),
      subscribe: granted(certificateSubscribe, name),
      admin: false,
      sendAs: false,
      expires: Date.parse(certificate.valid_to ?? ""),
    };
  }
}

/** The common name of its subject, or else the first of its alternative names. */
function nameOf({ subject, subjectaltname = "" }: Partial<PeerCertificate>): string | undefined {
  // A list if the subject has several, which is no name.
  const common: unknown = subject?.CN;
  const name = common === undefined ? ALTERNATIVE.exec(subjectaltname)?.[1] : common;
  return typeof name === "string" &&
    name.length <= MAX_NAME &&
    /^[^\p{C}\p{Z}](?:[^\p{C}\p{Zl}\p{Zp}]*[^\p{C}\p{Z}])?$/u.test(name)
    ? name
    : undefined;
}

function granted(items: readonly string[], name: string): readonly ChannelPattern[] {
  const patterns = items.flatMap((item) => {
    const at = item.lastIndexOf("=");
    return at === -1 || item.slice(0, at) === name ? [item.slice(at + 1)] : [];
  });
  return uncovered(patterns as ChannelPattern[]);
}
