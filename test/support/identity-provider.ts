import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Provider } from "oidc-provider";

export interface IdentityProviderOptions {
  /** Where people are sent back to. */
  readonly redirectUri: string;
  /** More claims of an ID token, by who logs in. */
  readonly claims?: (account: string) => Record<string, unknown>;
  readonly port?: number;
}

export const CLIENT = { id: "hub", secret: "a secret that only the hub and its provider know" } as const;

/** An OpenID provider, where people log in with any name and no password. */
export class IdentityProvider implements AsyncDisposable {
  readonly issuer: string;
  readonly port: number;
  readonly #server: Server;

  private constructor(server: Server, issuer: string, port: number) {
    this.#server = server;
    this.issuer = issuer;
    this.port = port;
  }

  static async open({
    redirectUri,
    claims = () => ({}),
    port = 0,
  }: IdentityProviderOptions): Promise<IdentityProvider> {
    const server = createServer().listen(port, "127.0.0.1");
    await once(server, "listening");
    const { port: taken } = server.address() as AddressInfo;
    const issuer = `http://127.0.0.1:${taken}`;
    const provider = new Provider(issuer, {
      clients: [{ client_id: CLIENT.id, client_secret: CLIENT.secret, redirect_uris: [redirectUri] }],
      conformIdTokenClaims: false,
      claims: { openid: ["sub", "hub"], profile: ["name", "preferred_username"], email: ["email"] },
      findAccount: (_, account) => ({
        accountId: account,
        claims: () => ({ sub: account, ...claims(account) }),
      }),
      cookies: { keys: ["keys of a test"] },
    });
    const answer = provider.callback();
    server.on("request", (request, response) => void answer(request, response));
    return new IdentityProvider(server, issuer, taken);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }
}
