import type { Answer, FieldValue, FormField, FormSchema, TitledValue } from "../../protocol/question.ts";
import { visibleText } from "../../protocol/visible.ts";

interface FormFieldsProps {
  readonly schema: FormSchema;
  readonly isDisabled: boolean;
  readonly answer: (value: Answer) => void;
}

const INPUT_TYPES = { email: "email", uri: "url", date: "date", "date-time": "datetime-local" } as const;

/** The fields of a form, as MCP's elicitation has them. The server judges what is filled in. */
export function FormFields({ schema, isDisabled, answer }: FormFieldsProps) {
  const { properties, required = [] } = schema;
  return (
    <form
      class="fields"
      onSubmit={(event) => {
        event.preventDefault();
        const data = new FormData(event.currentTarget);
        const values = Object.entries(properties).map(
          ([name, field]) => [name, valueOf(field, data.getAll(name))] as const,
        );
        const filled = values.filter((entry): entry is [string, FieldValue] => entry[1] !== undefined);
        answer(Object.fromEntries(filled));
      }}
    >
      <fieldset disabled={isDisabled}>
        {Object.entries(properties).map(([name, field]) => (
          <label key={name}>
            <span dir="auto">
              {visibleText(field.title ?? name)}
              {required.includes(name) && field.type !== "boolean" && <span aria-hidden="true"> *</span>}
            </span>
            <Input name={name} field={field} isRequired={required.includes(name)} />
            {field.description !== undefined && <small dir="auto">{visibleText(field.description)}</small>}
          </label>
        ))}
        <button>Answer</button>
      </fieldset>
    </form>
  );
}

function Input({
  name,
  field,
  isRequired,
}: {
  readonly name: string;
  readonly field: FormField;
  readonly isRequired: boolean;
}) {
  if (field.type === "boolean") return <input type="checkbox" name={name} defaultChecked={field.default ?? false} />;
  if (field.type === "number" || field.type === "integer") {
    const { minimum, maximum, default: value } = field;
    const step = field.type === "integer" ? 1 : "any";
    return (
      <input
        type="number"
        name={name}
        step={step}
        min={minimum}
        max={maximum}
        defaultValue={value?.toString()}
        required={isRequired}
      />
    );
  }
  const options = optionsOf(field);
  if (options !== undefined) {
    const isList = field.type === "array";
    const preset = isList ? (field.default ?? []) : [field.default];
    return (
      <select name={name} multiple={isList} required={isRequired}>
        {!isList && field.default === undefined && <option value="">—</option>}
        {options.map(({ const: value, title }) => (
          <option key={value} value={value} selected={preset.includes(value)}>
            {visibleText(title)}
          </option>
        ))}
      </select>
    );
  }
  if (field.type !== "string" || "enum" in field || "oneOf" in field) return null;
  const { minLength, maxLength, format, default: value } = field;
  return (
    <input
      type={(format === undefined ? "text" : INPUT_TYPES[format]) as "text"}
      name={name}
      dir="auto"
      minLength={minLength}
      maxLength={maxLength}
      defaultValue={value}
      required={isRequired}
    />
  );
}

function optionsOf(field: FormField): readonly TitledValue[] | undefined {
  if (field.type === "array") return "enum" in field.items ? field.items.enum.map(untitled) : field.items.anyOf;
  if (field.type !== "string") return undefined;
  if ("oneOf" in field) return field.oneOf;
  if (!("enum" in field)) return undefined;
  const { enumNames } = field;
  return field.enum.map((value, index) => ({ const: value, title: enumNames?.[index] ?? value }));
}

function untitled(value: string): TitledValue {
  return { const: value, title: value };
}

/** What was filled in; undefined if nothing was. */
function valueOf(field: FormField, values: readonly FormDataEntryValue[]): FieldValue | undefined {
  const texts = values.map(String);
  const [text = ""] = texts;
  if (field.type === "boolean") return texts.length > 0;
  if (field.type === "array") return texts;
  if (text === "") return undefined;
  if (field.type === "string") {
    const isTime = "format" in field && field.format === "date-time";
    return isTime ? new Date(text).toISOString() : text;
  }
  return Number(text);
}
