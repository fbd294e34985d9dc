import { hash } from "node:crypto";
import type { Audit } from "../../auth/audit.ts";
import { keySetOf, urlProblem } from "../../auth/issuers.ts";
import type { KeySet } from "../../auth/key-set.ts";
import type { Principal } from "../../core/principal.ts";
import { ConfigError } from "../../core/errors.ts";
import { expandSecrets } from "../../setting-secrets.ts";
import { SchemeFault, type Scheme, type Secret } from "./delivery.ts";
import { HookFault } from "./hook-file.ts";
import type { HookRecord } from "./hook-record.ts";
import { providerOf } from "./providers.ts";
import { Ed25519 } from "./schemes/ed25519.ts";
import { Hmac } from "./schemes/hmac.ts";
import { Jwt } from "./schemes/jwt.ts";
import { Sns, type FetchText } from "./schemes/sns.ts";
import { Standard } from "./schemes/standard.ts";
import { Stripe } from "./schemes/stripe.ts";
import { Token } from "./schemes/token.ts";
import { Twilio } from "./schemes/twilio.ts";

/** A hook that receives deliveries. */
export interface Hook {
  readonly record: HookRecord;
  readonly scheme: Scheme;
  /** The principal of its messages, which may publish on its channel and do nothing else. */
  readonly principal: Principal;
  /** A hash of its configuration and secrets, which changes when they do. */
  readonly identity: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** What hooks need from the server. */
export interface HookTools {
  readonly fetchText: FetchText;
  /** Called with a sentence when the keys of an issuer cannot be had. */
  readonly report: (sentence: string) => void;
  /** What `${env:NAME}` in a secret means. */
  readonly environment: Environment;
}

/** Schemes that always sign a time. */
const TIMED: ReadonlySet<string> = new Set(["stripe", "standard", "ed25519", "sns"]);

/** The name of the sender of its messages. */
export function senderOf(hook: string): string {
  return `hook:${hook}`;
}

/** Opens a hook; `where` is its place in the file. Throws `HookFault` if a secret or a setting cannot be used. */
export function openHook(record: HookRecord, where: string, tools: HookTools): Hook {
  try {
    if (record.toleranceSeconds !== undefined && !hasTime(record)) {
      throw new SchemeFault("toleranceSeconds is set, but this provider signs no time; leave it out");
    }
    const secrets = secretsOf(record, tools.environment, `${where}.secrets`);
    const identity = hash("sha256", JSON.stringify([record, secrets]));
    return { record, scheme: schemeOf(record, secrets, tools), principal: principalOf(record), identity };
  } catch (cause) {
    if (cause instanceof SchemeFault) throw new HookFault(`${where}: ${cause.message}`, { cause });
    if (cause instanceof ConfigError) throw new HookFault(cause.message, { cause });
    throw cause;
  }
}

/** The secrets of a hook, with `${env:NAME}` and `${file:PATH}` filled in; `field` is their name in errors. Throws `ConfigError`. */
export function secretsOf(
  { secrets }: Pick<HookRecord, "secrets">,
  environment: Environment,
  field: string,
): readonly Secret[] {
  return secrets.map((one, index) => {
    const { secret, until } = typeof one === "string" ? { secret: one, until: undefined } : one;
    const text = expandSecrets(secret, `${field}[${index}]`, environment);
    return { text, until: until === undefined ? Infinity : Date.parse(until) };
  });
}

const FILE = /\$\{file:([^}]*)\}/g;

/** The files that the secrets of a hook come from. */
export function secretFiles({ secrets }: Pick<HookRecord, "secrets">): readonly string[] {
  const texts = secrets.map((one) => (typeof one === "string" ? one : one.secret));
  return texts.flatMap((text) => Array.from(text.matchAll(FILE), ([, path = ""]) => path));
}

/** Whether the time at which a delivery was sent is signed. */
function hasTime(record: HookRecord): boolean {
  const { verify } = record;
  if (providerOf(record).timestamp !== undefined) return true;
  return verify.scheme === "hmac" ? verify.timestampHeader !== undefined : TIMED.has(verify.scheme);
}

function schemeOf({ verify }: HookRecord, secrets: readonly Secret[], { fetchText, report }: HookTools): Scheme {
  switch (verify.scheme) {
    case "stripe":
      return new Stripe(verify, secrets);
    case "standard":
      return new Standard(verify, secrets);
    case "twilio":
      return new Twilio(verify, secrets);
    case "ed25519":
      return new Ed25519(verify, secrets);
    case "token":
      return new Token(verify, secrets);
    case "sns":
      return new Sns(verify, fetchText);
    case "jwt":
      return new Jwt(verify, keySetAt(verify.jwks, report));
    case "hmac":
    default:
      return new Hmac(verify, secrets);
  }
}

function keySetAt(url: string, report: (sentence: string) => void): KeySet {
  const problem = urlProblem(url);
  if (problem !== undefined) throw new SchemeFault(`verify.jwks is ${JSON.stringify(url)}, ${problem}`);
  const audit: Audit = ({ reason, action }) => report(`the keys at ${url}: ${reason ?? action}`);
  return keySetOf(url, url, { audit, now: () => Date.now() });
}

function principalOf({ name, channel }: HookRecord): Principal {
  return {
    subject: senderOf(name),
    kind: "hook",
    id: `hook-${name}`,
    publish: [channel],
    subscribe: [],
    admin: false,
    sendAs: false,
  };
}
