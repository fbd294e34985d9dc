/** `${name}` or `${name:argument}`. */
const PLACE = /\$\{([a-zA-Z]+)(?::([^}]*))?\}/g;

/**
 * Names that templates may use, with what stands for each. `${topic:1}` is the value of `topic:1`, or what the function
 * `topic` makes of `1`.
 */
export type TemplateValues = Readonly<Record<string, string | undefined | ((argument: string) => string | undefined)>>;

/** A text with places such as `${topic}` filled in; undefined if one of them has no value. */
export function render(template: string, values: TemplateValues): string | undefined {
  let isMissing = false;
  const text = template.replaceAll(PLACE, (_, name: string, argument: string | undefined) => {
    const filled = valueOf(values, name, argument);
    if (filled === undefined || filled === "") isMissing = true;
    return filled ?? "";
  });
  return isMissing ? undefined : text;
}

/** What is wrong with a template, given the names it may use; undefined if nothing is. */
export function templateProblem(template: string, names: readonly string[]): string | undefined {
  for (const [place, name = ""] of template.matchAll(PLACE)) {
    if (!names.includes(name)) return `${place} is none of ${names.map((known) => `\${${known}}`).join(", ")}`;
  }
  return template.replaceAll(PLACE, "").includes("${") ? "it has ${ without a name and }" : undefined;
}

function valueOf(values: TemplateValues, name: string, argument: string | undefined): string | undefined {
  const own = (key: string): TemplateValues[string] => (Object.hasOwn(values, key) ? values[key] : undefined);
  const value = own(name);
  if (typeof value === "function") return value(argument ?? "");
  const named = argument === undefined ? value : own(`${name}:${argument}`);
  return typeof named === "string" ? named : undefined;
}
