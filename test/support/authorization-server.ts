import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWTHeaderParameters } from "jose";
import { Provider, type Configuration } from "oidc-provider";

/** A service that gets tokens by itself. */
export const SERVICE = { id: "order-service", secret: "a-secret-that-nobody-guesses" };
/** A program that people log in with. */
export const APP = { id: "app", redirect: "http://127.0.0.1/callback" };

const SCOPES = "hub:read hub:publish hub:admin";
const KID = "of-the-server";

/** An authorization server of another project, with clients, people and keys of its own. */
export class AuthorizationServer implements AsyncDisposable {
  readonly issuer: string;
  readonly publicKey: CryptoKey;
  readonly #privateKey: CryptoKey;
  readonly #close: () => Promise<void>;

  private constructor(
    issuer: string,
    { privateKey, publicKey }: { privateKey: CryptoKey; publicKey: CryptoKey },
    close: () => Promise<void>,
  ) {
    this.issuer = issuer;
    this.publicKey = publicKey;
    this.#privateKey = privateKey;
    this.#close = close;
  }

  /** `hub` is the claim with grants that its access tokens have. */
  static async open({ hub, alg = "RS256" }: { hub?: object; alg?: string } = {}): Promise<AuthorizationServer> {
    const keys = await generateKeyPair(alg, { extractable: true });
    const jwk = { ...(await exportJWK(keys.privateKey)), kid: KID, alg, use: "sig" };
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const answer = quietly(() => new Provider(issuer, configuration(jwk, alg, hub)).callback());
    server.on("request", (request, response) => {
      // Whoever asks for no scope gets the usual one (RFC 6749 section 3.3).
      const { url = "" } = request;
      if (url.startsWith("/auth?") && !url.includes("&scope=")) request.url = `${url}&scope=hub%3Aread`;
      void answer(request, response);
    });
    const close = (): Promise<void> => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    };
    return new AuthorizationServer(issuer, keys, close);
  }

  /** A token of a service; throws if it is not given one. */
  async serviceToken(resource: string, scope: string): Promise<string> {
    const body = new URLSearchParams({ grant_type: "client_credentials", resource, scope });
    const authorization = `Basic ${Buffer.from(`${SERVICE.id}:${SERVICE.secret}`).toString("base64")}`;
    const { access_token: token } = await this.#token(body, { authorization });
    return String(token);
  }

  /** What someone who logs in with the app is given: an access token for `resource`, and an ID token. */
  async personTokens(
    person: string,
    resource: string,
    scope: string,
  ): Promise<{ readonly accessToken: string; readonly idToken: string }> {
    const verifier = "a-verifier-of-at-least-forty-three-characters-or-so";
    const challenge = Buffer.from(await crypto.subtle.digest("SHA-256", Buffer.from(verifier))).toString("base64url");
    const url = new URL(`${this.issuer}/auth`);
    url.search = new URLSearchParams({
      client_id: APP.id,
      redirect_uri: APP.redirect,
      response_type: "code",
      scope: `openid ${scope}`,
      resource,
      code_challenge: challenge,
      code_challenge_method: "S256",
    }).toString();
    const code = (await logIn(url, person)).searchParams.get("code") ?? "";
    const body = new URLSearchParams({
      grant_type: "authorization_code",
      client_id: APP.id,
      redirect_uri: APP.redirect,
      code,
      code_verifier: verifier,
      resource,
    });
    const tokens = await this.#token(body);
    return { accessToken: String(tokens["access_token"]), idToken: String(tokens["id_token"]) };
  }

  /** A token with any claims at all, signed with the server's own key, or another one. */
  forge(
    claims: Record<string, unknown>,
    header: Partial<JWTHeaderParameters> = {},
    key: CryptoKey = this.#privateKey,
  ): Promise<string> {
    return new SignJWT({ iss: this.issuer, ...claims })
      .setProtectedHeader({ alg: "RS256", kid: KID, typ: "at+jwt", ...header })
      .sign(key);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }

  async #token(body: URLSearchParams, headers: Record<string, string> = {}): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.issuer}/token`, { method: "POST", body, headers });
    const answer = (await response.json()) as Record<string, unknown>;
    if (!response.ok) throw new Error(`no token: ${JSON.stringify(answer)}`);
    return answer;
  }
}

/** Opens an authorization URL as a browser does, logs in and agrees; resolves with where that leads in the end. */
export async function logIn(authorization: URL, person: string): Promise<URL> {
  const cookies = new Map<string, string>();
  let url = authorization;
  let form: URLSearchParams | undefined;
  for (let steps = 0; steps < 20; steps++) {
    const response = await fetch(url, {
      redirect: "manual",
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") },
      ...(form === undefined ? {} : { method: "POST", body: form }),
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (value === "") cookies.delete(name);
      else cookies.set(name, value);
    }
    const location = response.headers.get("location");
    const page = await response.text();
    if (location === null) {
      const [, prompt] = /name="prompt" value="(\w+)"/.exec(page) ?? [];
      if (prompt === undefined) throw new Error(`not a form at ${url.href}: ${response.status} ${page.slice(0, 500)}`);
      form = new URLSearchParams({ prompt, login: person, password: "any" });
      continue;
    }
    form = undefined;
    url = new URL(location, url);
    if (url.origin !== authorization.origin) return url;
  }
  throw new Error("the login goes round in circles");
}

function configuration(jwk: object, alg: string, hub: object | undefined): Configuration {
  return {
    jwks: { keys: [jwk] },
    cookies: { keys: ["a key for cookies"] },
    clients: [
      {
        client_id: SERVICE.id,
        client_secret: SERVICE.secret,
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
      },
      {
        client_id: APP.id,
        application_type: "native",
        token_endpoint_auth_method: "none",
        grant_types: ["authorization_code"],
        redirect_uris: [APP.redirect],
        response_types: ["code"],
      },
    ],
    clientDefaults: { id_token_signed_response_alg: alg },
    enabledJWA: { idTokenSigningAlgValues: [alg] },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => ({
          scope: SCOPES,
          audience: resource,
          accessTokenFormat: "jwt",
          accessTokenTTL: 600,
          jwt: { sign: { alg } },
        }),
      },
    },
    ...(hub === undefined ? {} : { extraTokenClaims: () => ({ hub }) }),
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    ttl: { ClientCredentials: 600, AccessToken: 600, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
  } as Configuration;
}

/** It warns that it is a test bed, which is what it is here. */
function quietly<Made>(make: () => Made): Made {
  const { warn, info } = console;
  console.warn = console.info = () => {};
  try {
    return make();
  } finally {
    Object.assign(console, { warn, info });
  }
}
