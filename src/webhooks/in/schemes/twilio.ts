import { hash } from "node:crypto";
import { headerFault, headerOf, type Delivery, type Proof, type Scheme, type Secret } from "../delivery.ts";
import { hmac } from "./hmac.ts";
import { bytesOf, equal, keysOf, prove, type Key } from "./keys.ts";

export interface TwilioSettings {
  readonly scheme: "twilio";
}

const HEADER = "x-twilio-signature";
const FORM = /^application\/x-www-form-urlencoded(?:\s*;|$)/i;
/** The hash of a body that is not a form, in the query of the signed address. */
const BODY_HASH = "bodySHA256";
const EMPTY = Buffer.of();

/** An HMAC-SHA1 of the address and the fields of a form; of other bodies, the address has the hash. */
export class Twilio implements Scheme {
  readonly #keys: readonly Key<string>[];

  constructor(_: TwilioSettings, secrets: readonly Secret[]) {
    this.#keys = keysOf(secrets, (text) => text);
  }

  verify(delivery: Delivery): Proof {
    const value = headerOf(delivery, HEADER) ?? "";
    const given = bytesOf(value, "base64");
    let fault: string | undefined;
    if (value === "") fault = headerFault(delivery, HEADER);
    else if (given === undefined) fault = `its ${HEADER} is not Base64`;
    else fault = bodyFault(delivery);
    const fields = fieldsOf(delivery);
    const urls = delivery.urls.flatMap(withAndWithoutPort);
    const proof = prove(
      this.#keys,
      delivery.time,
      fault,
      (token) => urls.filter((url) => equal(given ?? EMPTY, hmac("sha1", token, [url, fields]))).length > 0,
    );
    // The header with the id of Twilio is not signed: whoever sends a delivery again could choose another one.
    return "fault" in proof ? proof : { ...proof, id: given?.toString("hex") };
  }

  sign(body: Buffer, url: string, token: string): Readonly<Record<string, string>> {
    const fields = sorted(new URLSearchParams(body.toString()));
    return { [HEADER]: hmac("sha1", token, [url, fields]).toString("base64") };
  }
}

/** Why the signature does not cover the body; undefined if it does. */
function bodyFault(delivery: Delivery): string | undefined {
  const { body, urls, type } = delivery;
  const expected = URL.parse(urls[0] ?? "")?.searchParams.get(BODY_HASH) ?? undefined;
  if (expected !== undefined) {
    const isSame = equal(Buffer.from(expected), Buffer.from(hash("sha256", body)));
    return isSame ? undefined : `its body is not that of ${BODY_HASH}`;
  }
  return FORM.test(type) || body.length === 0 ? undefined : `its body is no form, and its address has no ${BODY_HASH}`;
}

function fieldsOf({ body, type }: Delivery): string {
  return FORM.test(type) ? sorted(new URLSearchParams(body.toString())) : "";
}

/** Names and values by name, without anything between; a value that a name has twice counts once. */
function sorted(form: URLSearchParams): string {
  const names = [...new Set(form.keys())].sort();
  return names.flatMap((name) => [...new Set(form.getAll(name))].sort().map((value) => `${name}${value}`)).join("");
}

/** Twilio signs the address with its port or without, also where it is the default one. */
function withAndWithoutPort(url: string): readonly string[] {
  const [, scheme = "", host = "", port, rest = ""] =
    /^(https?):\/\/(\[[^\]]*\]|[^/:?#]*)(:\d+)?(.*)$/s.exec(url) ?? [];
  if (host === "") return [url];
  return [
    ...new Set([
      url,
      `${scheme}://${host}${port ?? (scheme === "https" ? ":443" : ":80")}${rest}`,
      `${scheme}://${host}${rest}`,
    ]),
  ];
}
