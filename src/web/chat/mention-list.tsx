import { readable } from "../shared/names.ts";

/** Names offered at once. */
const OFFERED = 6;
/** What was written of a name before the caret. */
const BEGUN = /(?:^|[\s(])@([\p{L}\p{N}\p{M}_.-]{0,64})$/u;

/** What a text calls for before the caret: the names that begin so, or have a word that does. */
export function namesFor(before: string, known: readonly string[]): readonly string[] {
  const begun = BEGUN.exec(before)?.[1]?.toLowerCase();
  if (begun === undefined) return [];
  const fits = (name: string): boolean => {
    const words = name.toLowerCase().split(/[\s.-]+/u);
    return name.toLowerCase() !== begun && [name.toLowerCase(), ...words].some((word) => word.startsWith(begun));
  };
  return known.filter(fits).slice(0, OFFERED);
}

/** The text before the caret with a name in place of what was written of it. */
export function withName(before: string, name: string): string {
  return `${before.replace(/@[^@]*$/u, "")}@${name} `;
}

interface MentionListProps {
  readonly names: readonly string[];
  /** The one that Enter takes. */
  readonly chosen: number;
  readonly take: (name: string) => void;
}

/** The id of a name that is offered, for whoever reads the field out. */
export function offeredId(index: number): string {
  return `offered-${index}`;
}

/** Names to complete a mention with: arrows choose, Enter and Tab take, Escape closes. */
export function MentionList({ names, chosen, take }: MentionListProps) {
  return (
    <ul id="offered" role="listbox" aria-label="People to mention" hidden={names.length === 0}>
      {names.map((name, index) => (
        <li
          key={name}
          id={offeredId(index)}
          role="option"
          aria-selected={index === chosen}
          // The field keeps the focus.
          onPointerDown={(event) => {
            event.preventDefault();
            take(name);
          }}
        >
          @<bdi>{readable(name)}</bdi>
        </li>
      ))}
    </ul>
  );
}
