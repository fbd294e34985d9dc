import { ConfigError } from "../core/errors.ts";
import type { Principal } from "../core/principal.ts";
import { BrowserSessions } from "./browser-sessions.ts";

/** The settings of what is for browsers; see `Config`. */
export interface BrowserSettings {
  readonly authSecret: readonly string[];
  /** Seconds. */
  readonly browserSessionAge: number;
  readonly publicUrl: string;
  readonly allowedOrigins: readonly string[];
}

/** Opens the sessions of browsers, for a server that asks for credentials. Throws `ConfigError`. */
export function openBrowserSessions(
  { authSecret, browserSessionAge, publicUrl, allowedOrigins }: BrowserSettings,
  isGone: (principal: Principal) => boolean,
): BrowserSessions {
  if (allowedOrigins.includes("*")) {
    const sentence =
      "ALLOWED_ORIGINS is * while credentials are asked for, so that any website could use people's sessions";
    throw new ConfigError(`${sentence}; name the origins that may call, such as https://app.example`);
  }
  return new BrowserSessions({ secrets: authSecret, maxAge: browserSessionAge * 1000, publicUrl, isGone });
}
