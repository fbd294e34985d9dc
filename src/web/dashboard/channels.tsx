import { useState } from "preact/hooks";
import { compact, COMPACT_FROM, count, decimal } from "../shared/format.ts";
import { rove } from "../shared/roving.ts";
import type { Rates } from "./rates.ts";

/** A channel as `list_channels` tells of it. */
export interface ListedChannel {
  readonly channel: string;
  readonly readers: number;
  readonly messages: number;
}

interface ChannelsProps {
  readonly listed: readonly ListedChannel[];
  /** There are more than are listed. */
  readonly more: boolean;
  readonly rates: Rates;
  readonly choose: (channel: string) => void;
}

/** Rows of the table. */
const SHOWN = 50;
const BY_NAME = new Intl.Collator(undefined, { numeric: true });

/** The channels with their readers and rates, the busiest first. */
export function Channels({ listed, more, rates, choose }: ChannelsProps) {
  const [focused, setFocused] = useState<string>();
  const known = new Map(listed.map((channel) => [channel.channel, channel]));
  const names = new Set([...known.keys(), ...rates.channels]);
  const busiest = [...names]
    .map((name) => ({ name, rate: rates.of(name) }))
    .sort((a, b) => b.rate - a.rate || BY_NAME.compare(a.name, b.name))
    .slice(0, SHOWN);
  const all = `${names.size === 1 ? "1 channel" : `${count(names.size)} channels`}${more ? " and more" : ""}`;
  const stop = busiest.some(({ name }) => name === focused) ? focused : busiest[0]?.name;
  return (
    <section class="panel channels" aria-labelledby="channels-title">
      <header>
        <h2 id="channels-title">Channels</h2>
        <p id="channels-count" class="count">
          {names.size === 0 ? "None yet" : names.size > SHOWN ? `${all}, the busiest ${SHOWN}` : all}
        </p>
      </header>
      <div class="scroll" tabIndex={0} role="group" aria-label="Channels, the busiest first">
        <table>
          <thead>
            <tr>
              {["Channel", "Readers", "Per s", "Kept"].map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody
            id="channel-rows"
            onKeyDown={(event) => rove(event, "th button")}
            onFocusOut={() => setFocused(undefined)}
          >
            {busiest.map(({ name, rate }) => (
              <tr key={name}>
                <th scope="row">
                  <button
                    type="button"
                    title="Show only its messages"
                    tabIndex={name === stop ? 0 : -1}
                    onFocus={() => setFocused(name)}
                    onClick={() => choose(name)}
                  >
                    {name}
                  </button>
                </th>
                <td>{compact(known.get(name)?.readers ?? NaN)}</td>
                <td>{rate < COMPACT_FROM ? decimal(rate) : compact(rate)}</td>
                <Messages value={known.get(name)?.messages ?? NaN} />
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Messages({ value }: { readonly value: number }) {
  return <td title={value >= COMPACT_FROM ? count(value) : undefined}>{compact(value)}</td>;
}
