import { headerFault, headerOf, type Delivery, type Proof, type Scheme, type Secret } from "../delivery.ts";
import { hmac } from "./hmac.ts";
import { bytesOf, equal, isSeconds, keysOf, prove, type Key } from "./keys.ts";

export interface StripeSettings {
  readonly scheme: "stripe";
}

const HEADER = "stripe-signature";
/** Signatures of one delivery that are looked at: Stripe sends one for each secret that is good. */
const MAX_SIGNATURES = 10;
const EMPTY = Buffer.of();

/** `Stripe-Signature: t=…,v1=…`, with a signature for each secret while one takes the place of another. */
export class Stripe implements Scheme {
  readonly #keys: readonly Key<string>[];

  constructor(_: StripeSettings, secrets: readonly Secret[]) {
    // The secret is used as it is written, whsec_ included.
    this.#keys = keysOf(secrets, (text) => text);
  }

  verify(delivery: Delivery): Proof {
    const value = headerOf(delivery, HEADER) ?? "";
    const times: string[] = [];
    const signatures: Buffer[] = [];
    for (const part of value.split(",", 2 * MAX_SIGNATURES)) {
      const [name = "", text = ""] = part.split(/=(.*)/s);
      if (name === "t") times.push(text);
      const signature = name === "v1" && signatures.length < MAX_SIGNATURES ? bytesOf(text, "hex") : undefined;
      if (signature !== undefined) signatures.push(signature);
    }
    const [timestamp = "", second] = times;
    let fault: string | undefined;
    if (value === "") fault = headerFault(delivery, HEADER);
    else if (!isSeconds(timestamp) || second !== undefined) fault = `its ${HEADER} does not have one t= in seconds`;
    else if (signatures.length === 0) fault = `its ${HEADER} has no v1= in hexadecimal`;
    const proof = prove(this.#keys, delivery.time, fault, (secret) => {
      const expected = hmac("sha256", secret, [`${timestamp}.`, delivery.body]);
      return [EMPTY, ...signatures].filter((signature) => equal(signature, expected)).length > 0;
    });
    return "fault" in proof ? proof : { ...proof, timestamp };
  }

  sign(body: Buffer, timestamp: string, secret: string): Readonly<Record<string, string>> {
    const signature = hmac("sha256", secret, [`${timestamp}.`, body]).toString("hex");
    return { [HEADER]: `t=${timestamp},v1=${signature}` };
  }
}
