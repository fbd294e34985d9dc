import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { rove } from "../shared/roving.ts";

/** A column that rows can be ordered by. */
export interface Column<Row> {
  readonly name: string;
  /** What rows are ordered by: numbers with the largest first, texts from A on. */
  readonly by: (row: Row) => string | number;
  readonly cell: (row: Row) => ComponentChildren;
  /** All of it, if the cell may be cut. */
  readonly title?: (row: Row) => string | undefined;
}

interface SortedTableProps<Row> {
  /** The id of the body of the table. */
  readonly id: string;
  readonly label: string;
  /** The first names the row. */
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
  /** Where the name of a row leads. */
  readonly href: (row: Row) => string;
  /** The column that rows are ordered by at first. */
  readonly first: string;
  /** Rows at most. */
  readonly most: number;
}

interface Order {
  readonly name: string;
  readonly isReversed: boolean;
}

const BY_NAME = new Intl.Collator(undefined, { numeric: true });

/** A table that is ordered by the column whose head is pressed, and the other way round if it is pressed again. */
export function SortedTable<Row>({ id, label, columns, rows, keyOf, href, first, most }: SortedTableProps<Row>) {
  const [{ name: chosen, isReversed }, setOrder] = useState<Order>({ name: first, isReversed: false });
  const [focused, setFocused] = useState<string>();
  const column = columns.find(({ name }) => name === chosen) ?? columns[0];
  const sorted = [...rows].sort((a, b) => {
    const order = column === undefined ? 0 : compare(column.by(a), column.by(b));
    return (isReversed ? -order : order) || BY_NAME.compare(keyOf(a), keyOf(b));
  });
  const shown = sorted.slice(0, most);
  const stop = shown.some((row) => keyOf(row) === focused) ? focused : shown[0] && keyOf(shown[0]);
  const order = (name: string): void => setOrder({ name, isReversed: name === chosen && !isReversed });
  return (
    <div class="scroll" tabIndex={0} role="group" aria-label={label}>
      <table>
        <thead>
          <tr>
            {columns.map(({ name, by }) => (
              <th
                key={name}
                scope="col"
                aria-sort={name === chosen ? directionOf(rows.map(by), isReversed) : undefined}
              >
                <button type="button" onClick={() => order(name)}>
                  {name}
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody id={id} onKeyDown={(event) => rove(event, "th a")} onFocusOut={() => setFocused(undefined)}>
          {shown.map((row) => (
            <tr key={keyOf(row)}>
              {columns.map(({ name, cell, title }, place) =>
                place === 0 ? (
                  <th key={name} scope="row" title={title?.(row)}>
                    <a href={href(row)} tabIndex={keyOf(row) === stop ? 0 : -1} onFocus={() => setFocused(keyOf(row))}>
                      {cell(row)}
                    </a>
                  </th>
                ) : (
                  <td key={name} title={title?.(row)}>
                    {cell(row)}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function compare(a: string | number, b: string | number): number {
  if (typeof a === "number" && typeof b === "number") {
    // What is not known comes last.
    return (Number.isNaN(b) ? -Infinity : b) - (Number.isNaN(a) ? -Infinity : a) || 0;
  }
  return BY_NAME.compare(String(a), String(b));
}

function directionOf(values: readonly (string | number)[], isReversed: boolean): "ascending" | "descending" {
  const isDescending = typeof values[0] !== "string";
  return isDescending === isReversed ? "ascending" : "descending";
}
