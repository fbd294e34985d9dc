import { useState } from "preact/hooks";
import type { Answer, AnswerForm, ChoiceForm } from "../../protocol/question.ts";
import { visibleText } from "../../protocol/visible.ts";
import { FormFields } from "./form-fields.tsx";

interface ControlsProps<Form> {
  readonly form: Form;
  readonly isDisabled: boolean;
  readonly answer: (value: Answer) => void;
}

/** What is pressed or filled in to answer a question. Digits press what they stand beside; what cannot be undone has none. */
export function AnswerControls({ form, ...rest }: ControlsProps<AnswerForm>) {
  switch (form.kind) {
    case "confirm": {
      const yes = { value: true, label: form.yes ?? "Yes", destructive: form.destructive };
      return <Buttons options={[yes, { value: false, label: form.no ?? "No" }]} {...rest} />;
    }
    case "choice":
      return form.multiple === true ? <Several form={form} {...rest} /> : <OneOf form={form} {...rest} />;
    case "text":
      return <OwnWords label="Your answer" maxLength={form.maxLength} isLong {...rest} />;
    default:
      return <FormFields schema={form.schema} {...rest} />;
  }
}

interface ButtonOption {
  readonly value: Answer;
  readonly label: string;
  readonly description?: string | undefined;
  readonly destructive?: true | undefined;
}

/** A button for each answer; what cannot be undone comes last, and takes a click or the space bar. */
function Buttons({
  options,
  isDisabled,
  answer,
}: Omit<ControlsProps<never>, "form"> & { readonly options: readonly ButtonOption[] }) {
  const inOrder = [...options].sort((a, b) => Number(a.destructive ?? false) - Number(b.destructive ?? false));
  return (
    <div
      class="answers"
      role="group"
      aria-label="Answers"
      onKeyDown={(event) => {
        const option = /^[1-9]$/.test(event.key) ? inOrder[Number(event.key) - 1] : undefined;
        if (option === undefined || option.destructive === true || isDisabled || hasModifier(event)) return;
        event.preventDefault();
        answer(option.value);
      }}
    >
      {inOrder.map(({ value, label, description, destructive }, index) => (
        <button
          key={label}
          type="button"
          class={destructive === true ? "destructive" : index === 0 ? "first" : ""}
          disabled={isDisabled}
          title={destructive === true ? "This cannot be undone: click it, or press the space bar" : undefined}
          onKeyDown={(event) => {
            if (destructive === true && event.key === "Enter") event.preventDefault();
          }}
          onClick={() => answer(value)}
        >
          <span dir="auto">{visibleText(label)}</span>
          {description !== undefined && <small dir="auto">{visibleText(description)}</small>}
        </button>
      ))}
    </div>
  );
}

function OneOf({ form, ...rest }: ControlsProps<ChoiceForm>) {
  const options = form.options.map((option) => ({ ...option, label: option.label ?? option.value }));
  return (
    <>
      <Buttons options={options} {...rest} />
      {form.other === true && <OwnWords label="Another answer" {...rest} />}
    </>
  );
}

function Several({ form, isDisabled, answer }: ControlsProps<ChoiceForm>) {
  const [chosen, choose] = useState<readonly string[]>([]);
  const [other, setOther] = useState("");
  return (
    <form
      class="several"
      onSubmit={(event) => {
        event.preventDefault();
        answer(other.trim() === "" ? chosen : [...chosen, other.trim()]);
      }}
    >
      <fieldset disabled={isDisabled}>
        <legend class="unseen">Answers</legend>
        {form.options.map(({ value, label = value, description, destructive }) => (
          <label key={value} class={destructive === true ? "destructive" : ""}>
            <input
              type="checkbox"
              checked={chosen.includes(value)}
              onChange={({ currentTarget: { checked } }) => {
                choose(checked ? [...chosen, value] : chosen.filter((one) => one !== value));
              }}
            />
            <span dir="auto">{visibleText(label)}</span>
            {description !== undefined && <small dir="auto">{visibleText(description)}</small>}
          </label>
        ))}
        {form.other === true && (
          <label>
            Another answer
            <input value={other} dir="auto" onInput={({ currentTarget }) => setOther(currentTarget.value)} />
          </label>
        )}
        <button>Answer</button>
      </fieldset>
    </form>
  );
}

/** A field for a text of one's own. */
function OwnWords({
  label,
  maxLength,
  isLong = false,
  isDisabled,
  answer,
}: Omit<ControlsProps<never>, "form"> & {
  readonly label: string;
  readonly maxLength?: number;
  readonly isLong?: boolean;
}) {
  const [text, setText] = useState("");
  const field = {
    value: text,
    dir: "auto",
    maxLength,
    disabled: isDisabled,
    onInput: ({ currentTarget }: { readonly currentTarget: HTMLInputElement | HTMLTextAreaElement }) => {
      setText(currentTarget.value);
    },
  } as const;
  return (
    <form
      class="own"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.trim() !== "") answer(text);
      }}
    >
      <label>
        <span>{label}</span>
        {isLong ? <textarea rows={2} {...field} /> : <input {...field} />}
      </label>
      <button disabled={isDisabled || text.trim() === ""}>Answer</button>
    </form>
  );
}

function hasModifier(event: KeyboardEvent): boolean {
  const inField = event.target instanceof HTMLElement && event.target.matches("input, textarea, select");
  return inField || event.ctrlKey || event.metaKey || event.altKey;
}
