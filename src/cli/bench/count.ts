/** A number for people, with its noun in the right form. */
export function count(value: number, noun = ""): string {
  const number = Math.round(value).toLocaleString("en");
  if (noun === "") return number;
  return `${number} ${number === "1" ? noun : plural(noun)}`;
}

function plural(noun: string): string {
  if (noun.endsWith("y")) return `${noun.slice(0, -1)}ies`;
  return noun.endsWith("sh") ? `${noun}es` : `${noun}s`;
}
