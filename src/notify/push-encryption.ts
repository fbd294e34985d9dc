import { createCipheriv, createECDH, hkdfSync, randomBytes, type ECDH } from "node:crypto";

/** The keys of a browser's subscription, in base64url as it gives them. */
export interface PushKeys {
  /** A point of P-256. */
  readonly p256dh: string;
  readonly auth: string;
}

const [POINT_BYTES, AUTH_BYTES, SALT_BYTES] = [65, 16, 16];
/** Bytes of a record, of which a message has one (RFC 8188 section 2). */
const RECORD = 4096;
/** Bytes of a message: a record without its tag and the mark of its end. */
const MAX_PAYLOAD: number = RECORD - 17;
const CURVE = "prime256v1";

/** What is random in a message. */
interface Random {
  readonly sender: ECDH;
  readonly salt: Uint8Array;
}

/** Encrypts a message for a browser (RFC 8291). */
export function encrypted(payload: string, keys: PushKeys, { sender, salt }: Random = random()): Buffer {
  const text = Buffer.from(payload);
  if (text.length > MAX_PAYLOAD) throw new Error(`a push message has at most ${MAX_PAYLOAD} bytes`);
  const receiver = Buffer.from(keys.p256dh, "base64url");
  const own = sender.getPublicKey();
  const info = Buffer.concat([Buffer.from("WebPush: info\0"), receiver, own]);
  const secret = derived(sender.computeSecret(receiver), Buffer.from(keys.auth, "base64url"), info, 32);
  const key = derived(secret, salt, "Content-Encoding: aes128gcm\0", 16);
  const nonce = derived(secret, salt, "Content-Encoding: nonce\0", 12);
  const cipher = createCipheriv("aes-128-gcm", key, nonce);
  const size = Buffer.alloc(5);
  size.writeUInt32BE(RECORD);
  size.writeUInt8(own.length, 4);
  // 2 marks the end of the last record.
  const record = [cipher.update(text), cipher.update(Buffer.from([2])), cipher.final(), cipher.getAuthTag()];
  return Buffer.concat([salt, size, own, ...record]);
}

/** What is wrong with the keys of a subscription, as the end of a sentence with the field; undefined if nothing is. */
export function keysProblem({ p256dh, auth }: PushKeys): readonly [keyof PushKeys, string] | undefined {
  if (bytesIn(auth)?.length !== AUTH_BYTES) return ["auth", `use ${AUTH_BYTES} bytes in base64url`];
  try {
    const point = bytesIn(p256dh);
    if (point?.length === POINT_BYTES) {
      random().sender.computeSecret(point);
      return undefined;
    }
  } catch {
    // It is not on the curve.
  }
  return ["p256dh", `use a point of P-256, which has ${POINT_BYTES} bytes, in base64url`];
}

/** Undefined for what is not base64url and nothing else: a Buffer would skip the rest, however long that is. */
function bytesIn(text: string): Buffer | undefined {
  return /^[\w-]{1,100}={0,2}$/.test(text) ? Buffer.from(text, "base64url") : undefined;
}

function random(): Random {
  const sender = createECDH(CURVE);
  sender.generateKeys();
  return { sender, salt: randomBytes(SALT_BYTES) };
}

function derived(key: Uint8Array, salt: Uint8Array, info: Uint8Array | string, bytes: number): Buffer {
  return Buffer.from(hkdfSync("sha256", key, salt, info, bytes));
}
