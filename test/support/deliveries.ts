import type { Delivery, Proof, Scheme } from "../../src/webhooks/in/delivery.ts";

/** When deliveries come in tests, in milliseconds since 1970. */
export const NOW = 1_764_000_000_000;
export const NOW_SECONDS: string = String(NOW / 1000);

type Headers = Readonly<Record<string, string | readonly string[]>>;

/** A delivery as it comes from HTTP: a header with several values came as often. */
export function deliveryOf(
  body: string | Buffer,
  headers: Headers,
  more: Partial<Omit<Delivery, "headers" | "rawHeaders" | "body">> = {},
): Delivery {
  const entries = Object.entries(headers);
  return {
    headers: Object.fromEntries(entries.map(([name, value]) => [name.toLowerCase(), [value].flat().join(", ")])),
    rawHeaders: entries.flatMap(([name, value]) => [value].flat().flatMap((one) => [name, one])),
    body: Buffer.from(body),
    type: "application/json",
    urls: ["https://hub.example/hooks/test"],
    token: undefined,
    time: NOW,
    ...more,
  };
}

/** A secret without an end. */
export function secretsOf(...texts: string[]): { readonly text: string; readonly until: number }[] {
  return texts.map((text) => ({ text, until: Infinity }));
}

/** `secret N`, or why it is not proved. */
export async function outcome(scheme: Scheme, delivery: Delivery): Promise<string> {
  const proof: Proof = await scheme.verify(delivery);
  return "fault" in proof ? proof.fault : `secret ${proof.secret}`;
}
