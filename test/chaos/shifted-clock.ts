// Loaded before a node: its clock is ahead by CLOCK_SHIFT milliseconds, or behind if that is negative, and jumps there
// and back at every SIGUSR2.
const shift = Number(process.env["CLOCK_SHIFT"] ?? 0);
const RealDate = Date;
let isShifted = shift !== 0;
process.on("SIGUSR2", () => (isShifted = !isShifted));

function now(): number {
  return RealDate.now() + (isShifted ? shift : 0);
}

globalThis.Date = new Proxy(RealDate, {
  construct: (target, words, self) => Reflect.construct(target, words.length === 0 ? [now()] : words, self) as object,
  get: (target, name, self) => (name === "now" ? now : (Reflect.get(target, name, self) as unknown)),
});
