import { ConfigError } from "../core/errors.ts";
import type { Principal } from "../core/principal.ts";
import { isLoopback } from "../protocol/address.ts";
import { BrowserSessions } from "./browser-sessions.ts";
import { Login, type LoginSettings } from "./login.ts";

/** The settings of what is for browsers; see `Config`. */
export interface BrowserSettings extends LoginSettings {
  /** Seconds. */
  readonly browserSessionAge: number;
  readonly allowedOrigins: readonly string[];
}

/** Opens the sessions of browsers, for a server that asks for credentials. Throws `ConfigError`. */
export function openBrowserSessions(
  { authSecret, browserSessionAge, publicUrl, basePath, allowedOrigins }: BrowserSettings,
  isGone: (principal: Principal) => boolean,
): BrowserSessions {
  const remedy = "name the origins that may call, such as https://app.example";
  if (allowedOrigins.includes("*")) {
    const sentence =
      "ALLOWED_ORIGINS is * while credentials are asked for, so that any website could use people's sessions";
    throw new ConfigError(`${sentence}; ${remedy}`);
  }
  // Any website can put a page into a sandbox.
  if (allowedOrigins.some((origin) => origin.toLowerCase() === "null")) {
    const sentence =
      "ALLOWED_ORIGINS has null while credentials are asked for, which any website can make the origin of a page";
    throw new ConfigError(`${sentence}; ${remedy}`);
  }
  return new BrowserSessions({ secrets: authSecret, maxAge: browserSessionAge * 1000, publicUrl, basePath, isGone });
}

/** Opens the login at an identity provider; undefined if the settings name none. Throws `ConfigError`. */
export function openLogin(settings: LoginSettings): Login | undefined {
  const { loginIssuer, loginClientId, publicUrl } = settings;
  if (loginIssuer === "") return undefined;
  if (loginClientId === "") {
    throw new ConfigError("LOGIN_ISSUER is set without LOGIN_CLIENT_ID; set it to this server's client id there");
  }
  if (publicUrl === "") {
    const sentence =
      "LOGIN_ISSUER is set without PUBLIC_URL, which it sends people back to; set PUBLIC_URL to the address";
    throw new ConfigError(`${sentence} that browsers know this server by, such as https://hub.example`);
  }
  for (const [name, url] of Object.entries({ LOGIN_ISSUER: loginIssuer, PUBLIC_URL: publicUrl })) {
    const { protocol, hostname } = URL.canParse(url) ? new URL(url) : { protocol: "", hostname: "" };
    if (protocol === "https:" || (protocol === "http:" && isLoopback(hostname))) continue;
    const sentence = "a login over plain HTTP can be read on the way, and browsers keep no session of it";
    throw new ConfigError(
      `${name} is ${JSON.stringify(url)}, but ${sentence}; use https, or http on this machine alone`,
    );
  }
  return new Login(settings);
}
