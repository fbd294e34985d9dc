import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK, type JWTHeaderParameters } from "jose";

/** A pair of keys under an id. */
export interface SigningKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
}

export async function signingKey(kid: string, alg = "ES256"): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" } };
}

/** An issuer that signs whatever a test says, and answers or fails as it says. */
export class TestIssuer {
  readonly url: string;
  readonly #close: () => Promise<void>;
  readonly #key: SigningKey;
  /** What its key set holds. */
  keys: JWK[];
  /** Answers instead of the issuer, if it is set. */
  fault: ((response: ServerResponse, request: IncomingMessage) => void) | undefined;
  /** What its metadata says beside, or instead of, what is right. */
  metadata: Record<string, unknown> = {};
  /** The path of its metadata below its origin. */
  metadataPath: string;
  /** The paths that were asked for. */
  readonly asked: string[] = [];

  private constructor(url: string, key: SigningKey, close: () => Promise<void>) {
    this.url = url;
    this.#key = key;
    this.#close = close;
    this.keys = [key.publicJwk];
    this.metadataPath = `/.well-known/oauth-authorization-server${new URL(url).pathname.replace(/\/$/, "")}`;
  }

  /** `path` is that of its URL. */
  static async open({ path = "", alg = "ES256" }: { path?: string; alg?: string } = {}): Promise<TestIssuer> {
    const key = await signingKey("first", alg);
    let issuer: TestIssuer | undefined;
    const server = createServer((request, response) => issuer?.answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const close = (): Promise<void> => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    };
    return (issuer = new TestIssuer(`http://127.0.0.1:${port}${path}`, key, close));
  }

  get origin(): string {
    return new URL(this.url).origin;
  }

  /** How often its keys were asked for. */
  get fetches(): number {
    return this.asked.filter((path) => path === "/keys").length;
  }

  answer(request: IncomingMessage, response: ServerResponse): void {
    this.asked.push(request.url ?? "");
    if (this.fault !== undefined) return this.fault(response, request);
    response.setHeader("content-type", "application/json");
    if (request.url === this.metadataPath) {
      response.end(JSON.stringify({ issuer: this.url, jwks_uri: `${this.origin}/keys`, ...this.metadata }));
    } else if (request.url === "/keys") response.end(JSON.stringify({ keys: this.keys }));
    else response.writeHead(404).end("{}");
  }

  /** A token that is good for `audience`, apart from what the claims and the header say otherwise. */
  async sign(
    audience: string,
    claims: Record<string, unknown> = {},
    { key = this.#key, header = {} }: { key?: SigningKey; header?: Partial<JWTHeaderParameters> } = {},
  ): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const good = { iss: this.url, aud: audience, sub: "ada", client_id: "app", iat: now, exp: now + 600 };
    return new SignJWT({ ...good, scope: "hub:read hub:publish", ...claims })
      .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: "at+jwt", ...header })
      .sign(key.privateKey);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}
