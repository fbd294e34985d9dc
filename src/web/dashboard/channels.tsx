import { useState } from "preact/hooks";
import { compact, COMPACT_FROM, count, decimal } from "../shared/format.ts";
import { linkTo } from "./place.ts";
import type { Rates } from "./rates.ts";
import { SortedTable, type Column } from "./sorted-table.tsx";

/** A channel as `list_channels` tells of it. */
export interface ListedChannel {
  readonly channel: string;
  readonly readers: number;
  readonly messages: number;
}

interface ChannelsProps {
  /** Undefined until they are known. */
  readonly listed?: readonly ListedChannel[] | undefined;
  /** There are more than are listed. */
  readonly more: boolean;
  readonly rates: Rates;
}

/** What a row shows; NaN for what is not known. */
interface Row {
  readonly name: string;
  readonly readers: number;
  readonly rate: number;
  readonly kept: number;
}

/** Rows of the table. */
const SHOWN = 50;

const COLUMNS: readonly Column<Row>[] = [
  { name: "Channel", by: ({ name }) => name, cell: ({ name }) => name },
  { name: "Readers", by: ({ readers }) => readers, cell: ({ readers }) => compact(readers) },
  {
    name: "Per s",
    by: ({ rate }) => rate,
    cell: ({ rate }) => (rate < COMPACT_FROM ? decimal(rate) : compact(rate)),
  },
  {
    name: "Kept",
    by: ({ kept }) => kept,
    cell: ({ kept }) => compact(kept),
    title: ({ kept }) => (kept >= COMPACT_FROM ? count(kept) : undefined),
  },
];

/** The channels with their readers and rates, the busiest first. */
export function Channels({ listed, more, rates }: ChannelsProps) {
  const [words, filter] = useState("");
  const known = new Map(listed?.map((channel) => [channel.channel, channel]));
  const names = new Set([...known.keys(), ...rates.channels]);
  const rows = [...names]
    .filter((name) => name.toLowerCase().includes(words))
    .map((name) => {
      const { readers = NaN, messages: kept = NaN } = known.get(name) ?? {};
      return { name, readers, rate: rates.of(name), kept };
    });
  const all = `${names.size === 1 ? "1 channel" : `${count(names.size)} channels`}${more ? " and more" : ""}`;
  const none = listed === undefined ? "" : "None yet";
  const some = words === "" ? all : `${count(rows.length)} of ${all}`;
  return (
    <section class="panel channels" aria-labelledby="channels-title">
      <header>
        <h2 id="channels-title">Channels</h2>
        <p id="channels-count" class="count">
          {names.size === 0 ? none : rows.length > SHOWN ? `${some}, the first ${SHOWN}` : some}
        </p>
        <input
          id="channels-text"
          type="search"
          placeholder="Containing"
          aria-label="Only channels containing"
          onInput={({ currentTarget }) => filter(currentTarget.value.trim().toLowerCase())}
        />
      </header>
      <SortedTable
        id="channel-rows"
        label="Channels"
        columns={COLUMNS}
        rows={rows}
        keyOf={({ name }) => name}
        href={({ name }) => linkTo("channel", name)}
        first="Per s"
        most={SHOWN}
      />
    </section>
  );
}
