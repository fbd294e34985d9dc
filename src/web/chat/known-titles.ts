import { Stored } from "../shared/stored.ts";
import { Titles } from "./titles.ts";

/** The titles of channels that this browser has heard of. */
export function knownTitles(): Titles {
  const stored = new Stored<unknown>("chat.titles", (value) => value);
  return new Titles(stored.get(), (known) => stored.set(known));
}
