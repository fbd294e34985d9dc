/** `${name}` or `${name:argument}`. */
const PLACEHOLDER = /\$\{([a-zA-Z]+)(?::([^}]*))?\}/g;

/**
 * The values of placeholders by name. `${topic:1}` is the value of `topic:1`, or the result of the function `topic` for
 * `1`.
 */
export type TemplateValues = Readonly<Record<string, string | undefined | ((argument: string) => string | undefined)>>;

/** Whether a text has placeholders: what it becomes then depends on the message. */
export function isTemplate(text: string): boolean {
  return text.includes("${");
}

/** A template with its placeholders filled in; undefined if one of them has no value. */
export function render(template: string, values: TemplateValues): string | undefined {
  let isMissing = false;
  const text = template.replaceAll(PLACEHOLDER, (_, name: string, argument: string | undefined) => {
    const filled = valueOf(values, name, argument);
    if (filled === undefined || filled === "") isMissing = true;
    return filled ?? "";
  });
  return isMissing ? undefined : text;
}

/**
 * Why a destination would have other levels than its template, as one of these values has the character that separates
 * them; undefined if none has.
 */
export function levelProblem(
  template: string,
  values: Readonly<Record<string, string>>,
  names: readonly string[],
  separator: string,
): string | undefined {
  const name = names.find((one) => template.includes(`\${${one}}`) && values[one]?.includes(separator));
  if (name === undefined) return undefined;
  return `its ${name} has ${JSON.stringify(separator)}, and may only be one level of ${template}: ${values[name]}`;
}

/** What is wrong with a template, given the placeholders it may have; undefined if nothing is. */
export function templateProblem(template: string, names: readonly string[]): string | undefined {
  for (const [placeholder, name = ""] of template.matchAll(PLACEHOLDER)) {
    if (!names.includes(name)) return `${placeholder} is not one of ${names.map((known) => `\${${known}}`).join(", ")}`;
  }
  return template.replaceAll(PLACEHOLDER, "").includes("${") ? "it has ${ without a name and a closing }" : undefined;
}

function valueOf(values: TemplateValues, name: string, argument: string | undefined): string | undefined {
  const own = (key: string): TemplateValues[string] => (Object.hasOwn(values, key) ? values[key] : undefined);
  const value = own(name);
  if (typeof value === "function") return value(argument ?? "");
  const named = argument === undefined ? value : own(`${name}:${argument}`);
  return typeof named === "string" ? named : undefined;
}
