import { verify, X509Certificate, type KeyObject } from "node:crypto";
import { HubError } from "../../../core/errors.ts";
import { StatusError } from "../../../protocol/http-answer.ts";
import { isObject } from "../../../protocol/json.ts";
import { SchemeFault, type Delivery, type Proof, type Scheme } from "../delivery.ts";
import { bytesOf } from "./keys.ts";

/** Amazon SNS: the signature is in the body, and the certificate at an address that the body names. */
export interface SnsSettings {
  readonly scheme: "sns";
  /** The topics that may post; without them anyone's topic would pass. */
  readonly topics: readonly string[];
}

/** Fetches the text at an address. Rejects if it cannot be had. */
export type FetchText = (url: string) => Promise<string>;

const ARN = /^arn:aws[\w-]*:sns:([a-z\d-]+):\d{12}:[\w-]{1,256}(?:\.fifo)?$/;
const CERTIFICATE = /^\/SimpleNotificationService-[\da-zA-Z]{8,64}\.pem$/;
/** Fields that are signed, in their order, by `Type`. */
const NOTIFICATION = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"];
const CONFIRMATION = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];
const SIGNED: ReadonlyMap<unknown, readonly string[]> = new Map([
  ["Notification", NOTIFICATION],
  ["SubscriptionConfirmation", CONFIRMATION],
  ["UnsubscribeConfirmation", CONFIRMATION],
]);
/** Of RSA with PKCS #1, by `SignatureVersion`. */
const DIGESTS: ReadonlyMap<unknown, string> = new Map([
  ["1", "sha1"],
  ["2", "sha256"],
]);
/** Certificates that are kept, and that are fetched at once: anyone who knows a topic can name others. */
const [MAX_CERTIFICATES, MAX_FETCHED] = [16, 4];
/** Milliseconds after which a certificate that could not be had is asked for again. */
const PAUSE = 10_000;
/** Milliseconds before a certificate is fetched again. */
const FRESH = 86_400_000;

interface Certificate {
  readonly key: Promise<KeyObject>;
  until: number;
  isFetched: boolean;
  /** Whether it has proved a delivery: others do not take its place. */
  isProved: boolean;
}

export class Sns implements Scheme {
  readonly #topics: ReadonlySet<string>;
  readonly #fetch: FetchText;
  /** By address, the oldest first. */
  readonly #certificates = new Map<string, Certificate>();

  constructor({ topics }: SnsSettings, fetchText: FetchText) {
    if (topics.length === 0) throw new SchemeFault("verify.topics is empty; name the ARN of the topic");
    const wrong = topics.find((topic) => !ARN.test(topic));
    if (wrong !== undefined) {
      throw new SchemeFault(
        "verify.topics has something else than an ARN such as arn:aws:sns:eu-west-1:123456789012:alerts",
      );
    }
    this.#topics = new Set(topics);
    this.#fetch = fetchText;
  }

  async verify({ body, time }: Delivery): Promise<Proof> {
    const fields = fieldsOf(body);
    if (fields === undefined) return { fault: "its body is not a JSON object" };
    const { Type: type, TopicArn: topic, SignatureVersion: version, Signature: signature } = fields;
    const names = SIGNED.get(type);
    const digest = DIGESTS.get(version);
    if (names === undefined) return { fault: "its Type is not one of SNS" };
    // Before anything is fetched for it: anyone can have a topic.
    if (typeof topic !== "string" || !this.#topics.has(topic))
      return { fault: "its TopicArn is not one of verify.topics" };
    if (digest === undefined) return { fault: "its SignatureVersion is not 1 or 2" };
    const url = snsUrl(fields["SigningCertURL"], topic);
    if (url === undefined || !CERTIFICATE.test(url.pathname) || url.search !== "") {
      return { fault: "its SigningCertURL is not a certificate of SNS in the region of the topic" };
    }
    const given = typeof signature === "string" ? bytesOf(signature, "base64") : undefined;
    if (given === undefined) return { fault: "its Signature is not Base64" };
    const signed: Record<string, string> = {};
    for (const name of names) {
      const value = fields[name];
      if (value === undefined && name === "Subject") continue;
      if (typeof value !== "string") return { fault: `its ${name} is not a text` };
      // Lines separate what is signed: only in one field can a line break not move a part of it to another.
      if (name !== "Message" && value.includes("\n")) return { fault: `its ${name} has a line break` };
      signed[name] = value;
    }
    const text = Object.entries(signed)
      .map(([name, value]) => `${name}\n${value}\n`)
      .join("");
    const certificate = this.#certificateAt(url.href, time);
    const key = await this.#keyOf(certificate, time);
    if (key === undefined) return { fault: "its SigningCertURL is not a certificate that SNS has" };
    if (!verify(digest, Buffer.from(text), key, given)) return { fault: "its signature is not of SNS" };
    certificate.isProved = true;
    const timestamp = String(Math.floor(Date.parse(fields["Timestamp"] as string) / 1000));
    return { secret: 0, timestamp, body: signed };
  }

  #certificateAt(url: string, time: number): Certificate {
    const known = this.#certificates.get(url);
    if (known !== undefined && known.until > time) return known;
    const all = [...this.#certificates];
    if (all.filter(([, { isFetched }]) => !isFetched).length >= MAX_FETCHED) throw unavailable();
    this.#certificates.delete(url);
    if (this.#certificates.size >= MAX_CERTIFICATES) {
      const [oldest] = all.find(([, { isFetched, isProved }]) => isFetched && !isProved) ?? all[0] ?? [];
      this.#certificates.delete(oldest ?? "");
    }
    const key = this.#load(url, time);
    const isProved = known?.isProved ?? false;
    const certificate: Certificate = { key, until: time + FRESH, isFetched: false, isProved };
    // Whoever waits for the key sees why it could not be had.
    key.catch(() => {}).finally(() => (certificate.isFetched = true));
    this.#certificates.set(url, certificate);
    return certificate;
  }

  /** Undefined if SNS says that it has no such certificate. Rejects with `AUTH_UNAVAILABLE` if it cannot be had now. */
  async #keyOf(certificate: Certificate, time: number): Promise<KeyObject | undefined> {
    try {
      return await certificate.key;
    } catch (cause) {
      certificate.until = Math.min(certificate.until, time + PAUSE);
      const { cause: answer } = cause as Error;
      if (answer instanceof StatusError && answer.status >= 400 && answer.status < 500) return undefined;
      throw unavailable(cause);
    }
  }

  async #load(url: string, time: number): Promise<KeyObject> {
    const { publicKey, validFrom, validTo } = new X509Certificate(await this.#fetch(url));
    if (Date.parse(validFrom) > time || Date.parse(validTo) < time) throw new Error(`${url}: its time is over`);
    return publicKey;
  }
}

function unavailable(cause?: unknown): HubError {
  const sentence = "The delivery cannot be checked right now, since the certificate of SNS cannot be had";
  return new HubError("AUTH_UNAVAILABLE", sentence, { cause, retryAfter: PAUSE / 1000 });
}

/** An address of SNS in the region of a topic; undefined for any other. */
export function snsUrl(text: unknown, topic: string): URL | undefined {
  const url = typeof text === "string" ? URL.parse(text) : null;
  const [, region = ""] = ARN.exec(topic) ?? [];
  const hosts = [`sns.${region}.amazonaws.com`, `sns.${region}.amazonaws.com.cn`];
  if (url === null || url.protocol !== "https:" || !hosts.includes(url.host)) return undefined;
  return url.username === "" && url.password === "" && url.hash === "" ? url : undefined;
}

function fieldsOf(body: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString());
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
