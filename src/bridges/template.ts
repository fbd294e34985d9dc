/** `${name}` or `${name:argument}`. */
const PLACE = /\$\{([a-zA-Z]+)(?::([^}]*))?\}/g;

/** Names that templates may use, with what stands for each; a function is given what follows the colon. */
export type TemplateValues = Readonly<Record<string, string | undefined | ((argument: string) => string | undefined)>>;

/** A text with places such as `${topic}` filled in; undefined if one of them has no value. */
export function render(template: string, values: TemplateValues): string | undefined {
  let isMissing = false;
  const text = template.replaceAll(PLACE, (_, name: string, argument: string | undefined) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    const filled = typeof value === "function" ? value(argument ?? "") : value;
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
