const RUN = 6;
const PUBLISHER = 4;
const SEQUENCE = 10;
const TIME = 15;
const TILDE = 0x7e;
const LETTER = 0x62;
const ZERO = 0x30;
const HEAD = 2 + RUN;
const SEQUENCE_AT = HEAD + PUBLISHER;
const TIME_AT = SEQUENCE_AT + SEQUENCE;
const PADDING_AT = TIME_AT + TIME;

/** The shortest payload a stamp fits in. */
export const SMALLEST_PAYLOAD: number = PADDING_AT + 1;

/** A payload of `size` bytes: `~b`, the run, publisher, sequence and time as digits, padding, `~`. */
export function stampedPayload(run: string, publisher: number, size: number): string {
  const digits = String(publisher).padStart(PUBLISHER, "0") + "0".repeat(SEQUENCE + TIME);
  return `~b${run}${digits}`.padEnd(size - 1, "x") + "~";
}

/** Writes sequence and time into the payload that starts at `at`. */
export function restamp(bytes: Buffer, at: number, sequence: number, time: number): void {
  writeDigits(bytes, at + SEQUENCE_AT, SEQUENCE, sequence);
  writeDigits(bytes, at + TIME_AT, TIME, Math.floor(time));
}

/** Finds stamps of one run; holds the last one found, because it is asked for every message. */
export class StampFinder {
  publisher = 0;
  sequence = 0;
  /** Microseconds on the shared clock. */
  sent = 0;
  readonly #run: Buffer;
  readonly #size: number;

  constructor(run: string, size: number) {
    this.#run = Buffer.from(run, "latin1");
    this.#size = size;
  }

  /** False if there is no whole payload of this run between `from` and `to`. */
  find(bytes: Buffer, from: number, to: number): boolean {
    const last = to - this.#size;
    for (let at = from; at <= last; at += 1) {
      if (bytes[at] === TILDE && bytes[at + 1] === LETTER && this.#read(bytes, at)) return true;
    }
    return false;
  }

  #read(bytes: Buffer, at: number): boolean {
    for (let i = 0; i < RUN; i += 1) if (bytes[at + 2 + i] !== this.#run[i]) return false;
    // A payload cut short or spliced into another lacks the final tilde: it counts as not delivered.
    if (bytes[at + this.#size - 1] !== TILDE) return false;
    this.publisher = readDigits(bytes, at + HEAD, PUBLISHER);
    this.sequence = readDigits(bytes, at + SEQUENCE_AT, SEQUENCE);
    this.sent = readDigits(bytes, at + TIME_AT, TIME);
    return this.publisher >= 0 && this.sequence >= 0 && this.sent >= 0;
  }
}

function writeDigits(bytes: Buffer, at: number, width: number, value: number): void {
  let rest = value;
  for (let i = at + width - 1; i >= at; i -= 1) {
    const tenth = Math.floor(rest / 10);
    bytes[i] = ZERO + (rest - tenth * 10);
    rest = tenth;
  }
}

function readDigits(bytes: Buffer, at: number, width: number): number {
  let value = 0;
  for (let i = at; i < at + width; i += 1) {
    const digit = (bytes[i] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}
