const NOT_AT_ALL = /^q=0(?:\.0*)?$/;

/** Whether an `Accept` header takes a media type (RFC 9110, section 12.5.1); the range that says most about it decides. */
export function accepts(header: string | null, type: string): boolean {
  if (header === null || header.trim() === "") return true;
  const ranges = [type, `${type.slice(0, type.indexOf("/"))}/*`, "*/*"];
  let closest = ranges.length;
  let isTaken = false;
  for (const item of header.toLowerCase().replaceAll(/[ \t]/g, "").split(",")) {
    const [range = "", ...parameters] = item.split(";");
    const rank = ranges.indexOf(range);
    if (rank === -1 || rank >= closest) continue;
    closest = rank;
    isTaken = !parameters.some((parameter) => NOT_AT_ALL.test(parameter));
  }
  return isTaken;
}
