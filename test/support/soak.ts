/** Whether this is `npm run soak`: the whole load, with bounds on memory and time, which a busy machine may break. */
export const IS_SOAK: boolean = process.env["SOAK"] === "true";

/** So much in `npm run soak`, and a twentieth of it in `npm test`. */
export function load(count: number): number {
  return IS_SOAK ? count : Math.ceil(count / 20);
}
