import type { Principal } from "../../core/principal.ts";
import type { EventDialect } from "../../protocol/event-dialect.ts";
import { AddressRules } from "./address-rules.ts";
import { readWebhooks } from "./configured.ts";
import { Webhooks, type WebhooksOptions } from "./webhooks.ts";

/** The settings that webhooks depend on. */
export interface WebhookSettings {
  /** The path of a file with webhooks; empty for none. */
  readonly webhooksFile: string;
  /** Addresses and networks that are not public and that webhooks may go to. */
  readonly webhookAllow: readonly string[];
  readonly eventsDialect: EventDialect | "off";
  readonly publicUrl: string;
  readonly basePath: string;
}

/** What webhooks need of a server that is open. */
export interface OpenServer extends Pick<WebhooksOptions, "hub" | "shared" | "records" | "hubId" | "version" | "log"> {
  readonly auth: {
    readonly authenticator: { readonly isOpen: boolean };
    readonly lifetimes: { readonly isGone: (principal: Principal) => boolean };
  };
}

/** Checks the configured webhooks before the log is opened; throws a `ConfigError`. The result opens all webhooks. */
export function prepareWebhooks(
  { webhooksFile, webhookAllow, eventsDialect, publicUrl, basePath }: WebhookSettings,
  environment: Readonly<Record<string, string | undefined>> = {},
): (server: OpenServer) => Promise<Webhooks> {
  const rules = new AddressRules(webhookAllow);
  const configured = webhooksFile === "" ? [] : readWebhooks(webhooksFile, environment, rules);
  return ({ auth, ...server }) =>
    Webhooks.open({
      ...server,
      rules,
      configured,
      dialect: eventsDialect,
      publicUrl: publicUrl + basePath,
      isOpen: auth.authenticator.isOpen,
      isGone: (principal) => auth.lifetimes.isGone(principal),
    });
}
