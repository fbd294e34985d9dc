// Numbers and times as people read them.

const WHOLE = new Intl.NumberFormat();
const TENTHS = new Intl.NumberFormat(undefined, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const HUNDREDTHS = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 });

const SHORT = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
/** From here on a number is shown in thousands or millions if there is little room. */
export const COMPACT_FROM = 10_000;

/** Shown if there is no value. */
const NOTHING = "–";

/** A number of things. */
export function count(value: number): string {
  return Number.isFinite(value) ? WHOLE.format(Math.round(value)) : NOTHING;
}

/** A number of things, short if it is large. */
export function compact(value: number): string {
  return Number.isFinite(value) && value >= COMPACT_FROM ? SHORT.format(value) : count(value);
}

/** A number with as many places as tell something. */
export function decimal(value: number): string {
  if (!Number.isFinite(value)) return NOTHING;
  if (value === 0 || value >= 100) return count(value);
  return (value < 1 ? HUNDREDTHS : TENTHS).format(value);
}

/** A number on the axis of a plot, with enough digits to distinguish two steps. */
export function scale(value: number): string {
  return Number.isInteger(value) ? compact(value) : decimal(value);
}

export function milliseconds(value: number): string {
  return Number.isFinite(value) ? `${decimal(value)} ms` : NOTHING;
}

export function percent(value: number): string {
  return Number.isFinite(value) ? `${decimal(value)} %` : NOTHING;
}

export function mebibytes(value: number): string {
  return Number.isFinite(value) ? `${count(value)} MiB` : NOTHING;
}

/** A number of bytes, in the largest unit that leaves something before the point. */
export function bytes(value: number): string {
  if (!Number.isFinite(value)) return NOTHING;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const unit = value < 1 ? 0 : Math.min(Math.floor(Math.log2(value) / 10), units.length - 1);
  return `${unit === 0 ? count(value) : decimal(value / 1024 ** unit)} ${units[unit]}`;
}

/** Seconds in the two largest units. */
export function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** The time of day of a moment in milliseconds since 1970. */
export function clock(time: number): string {
  const at = new Date(time);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}
