import { ConfigError } from "../core/errors.ts";
import type { Questions } from "../core/questions.ts";
import type { Records } from "../core/records.ts";
import type { SharedStore } from "../core/shared-store.ts";
import { AddressRules } from "../webhooks/out/address-rules.ts";
import { SafePoster } from "../webhooks/out/safe-post.ts";
import { AnswerLinks } from "./answer-links.ts";
import { readSteps, type ConfiguredStep } from "./step-file.ts";
import { Notifier, type Step } from "./notifier.ts";
import { Ntfy } from "./ntfy.ts";
import { PushSubscriptions } from "./push-subscriptions.ts";
import { Slack, type SlackOptions } from "./slack.ts";
import { Vapid } from "./vapid.ts";
import { WebPush, type PushAuth } from "./web-push.ts";
import type { Way } from "./way.ts";

/** The settings that notifications depend on. */
export interface NotifySettings {
  /** The path of a file with steps. */
  readonly notifyFile: string;
  /** Addresses and networks that are not public and that may be reached all the same. */
  readonly webhookAllow: readonly string[];
  readonly publicUrl: string;
  readonly basePath: string;
}

/** What notifications need of a server that is open. */
export interface OpenServer {
  readonly questions: Questions;
  readonly records: Records;
  readonly shared: SharedStore;
  readonly auth: PushAuth;
  readonly report: (sentence: string) => void;
}

/** What the routes of Web Push work with. */
export interface Push {
  readonly vapid: Vapid;
  readonly subscriptions: PushSubscriptions;
  /** Where messages may go. */
  readonly rules: AddressRules;
}

/** Notifications of a server, and the links in them. */
export interface Notify {
  readonly notifier: Notifier;
  readonly links: AnswerLinks;
  /** Undefined if no step has it. */
  readonly push: Push | undefined;
}

/** Checks the configured steps before the log is opened; throws a `ConfigError`. The result opens what takes them. */
export function prepareNotify(
  { notifyFile, webhookAllow, publicUrl, basePath }: NotifySettings,
  environment: Readonly<Record<string, string | undefined>> = {},
): (server: OpenServer) => Promise<Notify> {
  if (publicUrl === "") {
    throw new ConfigError("NOTIFY_FILE needs PUBLIC_URL, the address that links in notifications lead to; set it");
  }
  const rules = new AddressRules(webhookAllow);
  const configured = readSteps(notifyFile, environment, rules);
  return async ({ questions, records, shared, auth, report }) => {
    const base = publicUrl + basePath;
    const poster = new SafePoster({ rules });
    const links = await AnswerLinks.open(records, base);
    const pushed = configured.find(({ webPush }) => webPush !== undefined)?.webPush;
    const push = pushed && {
      vapid: await Vapid.open(records, pushed.contact ?? publicUrl),
      subscriptions: new PushSubscriptions(records),
      rules,
    };
    const wayOf = ({ ntfy, slack }: ConfiguredStep): Way => {
      if (ntfy !== undefined) return new Ntfy(ntfy, poster);
      return push === undefined || slack !== undefined
        ? new Slack(slack as SlackOptions, poster)
        : new WebPush({ ...push, auth, poster });
    };
    const steps = configured.map((step): Step => ({ ...step, way: wayOf(step) }));
    const notifier = new Notifier({ steps, questions, shared, links, base, report });
    questions.onChange = (entry) => notifier.onChange(entry);
    notifier.onChange();
    return { notifier, links, push };
  };
}
