/** As much of JSON Schema as the API documentation uses. */
export interface Schema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly pattern?: string;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
}

/** Keywords that `faults` understands, or that assert nothing. */
export const KEYWORDS: ReadonlySet<string> = new Set(
  "type properties required additionalProperties items anyOf enum const pattern maxLength minimum maximum default description format examples".split(
    " ",
  ),
);

/** Where a value is not what a schema says; empty where it is. */
export function faults(value: unknown, schema: Schema, path = "$"): string[] {
  const {
    type,
    properties = {},
    required = [],
    additionalProperties = true,
    items,
    anyOf,
    pattern,
    maxLength = Infinity,
    minimum,
    maximum,
  } = schema;
  if (anyOf !== undefined) {
    return anyOf.some((one) => faults(value, one, path).length === 0) ? [] : [`${path} is none of its kinds`];
  }
  if (type !== undefined && ![type].flat().some((name) => isOf(value, name)))
    return [`${path} is no ${[type].flat().join("|")}`];
  if (schema.enum !== undefined && !schema.enum.includes(value)) return [`${path} is not one of its values`];
  if ("const" in schema && schema.const !== value) return [`${path} is not its value`];
  if (typeof value === "string" && pattern !== undefined && !new RegExp(pattern).test(value))
    return [`${path} has another form`];
  if (typeof value === "string" && value.length > maxLength) return [`${path} is too long`];
  if (typeof value === "number" && (value < (minimum ?? -Infinity) || value > (maximum ?? Infinity)))
    return [`${path} is out of range`];
  if (Array.isArray(value))
    return items === undefined ? [] : value.flatMap((item, index) => faults(item, items, `${path}[${index}]`));
  if (typeof value !== "object" || value === null) return [];
  const missing = required.filter((name) => !Object.hasOwn(value, name)).map((name) => `${path}.${name} is missing`);
  const wrong = Object.entries(value).flatMap(([name, inner]) => {
    const known = properties[name];
    if (known !== undefined) return faults(inner, known, `${path}.${name}`);
    if (additionalProperties === false) return [`${path}.${name} is not in the schema`];
    return additionalProperties === true ? [] : faults(inner, additionalProperties, `${path}.${name}`);
  });
  return [...missing, ...wrong];
}

function isOf(value: unknown, type: string): boolean {
  switch (type) {
    case "null":
      return value === null;
    case "array":
      return Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    default:
      return typeof value === type;
  }
}
