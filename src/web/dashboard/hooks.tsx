import { useState } from "preact/hooks";
import { clock, decimal } from "../shared/format.ts";

/** What became of a webhook, as `/hooks` and `hub.hooks` tell of it. */
export interface HookDelivery {
  readonly hook: string;
  readonly time: string;
  readonly verdict: string;
  readonly status: number;
  readonly milliseconds: number;
  readonly event?: string;
  readonly id?: string;
  readonly reason?: string;
}

/** A hook with its last deliveries, the newest first. */
export interface ListedHook {
  readonly name: string;
  readonly channel: string;
  readonly deliveries: readonly HookDelivery[];
}

/** Deliveries of one hook that are shown. */
const KEPT = 50;

/** The hooks of the server; none if it cannot be asked, or has none. */
export async function loadHooks(): Promise<readonly ListedHook[]> {
  try {
    const response = await fetch("hooks", { cache: "no-store" });
    return response.ok ? ((await response.json()) as { hooks: readonly ListedHook[] }).hooks : [];
  } catch {
    return [];
  }
}

/** The hooks after another delivery. */
export function withDelivery(hooks: readonly ListedHook[], delivery: HookDelivery): readonly ListedHook[] {
  return hooks.map((hook) =>
    hook.name === delivery.hook ? { ...hook, deliveries: [delivery, ...hook.deliveries].slice(0, KEPT) } : hook,
  );
}

/** The last webhooks, with what became of them; nothing at a server that takes none. */
export function Hooks({ hooks }: { readonly hooks: readonly ListedHook[] }) {
  const [chosen, choose] = useState("");
  if (hooks.length === 0) return null;
  const shown = hooks.filter(({ name }) => chosen === "" || name === chosen);
  const deliveries = shown
    .flatMap((hook) => hook.deliveries)
    .sort((a, b) => (a.time < b.time ? 1 : -1))
    .slice(0, KEPT);
  return (
    <section class="panel hooks" aria-labelledby="hooks-title">
      <header>
        <h2 id="hooks-title">Webhooks in</h2>
        <p id="hooks-count" class="count">
          {deliveries.length === 0
            ? "None came since this node started"
            : `The last ${deliveries.length}, at this node`}
        </p>
        <select
          id="hooks-name"
          aria-label="Only of this hook"
          onInput={({ currentTarget }) => choose(currentTarget.value)}
        >
          <option value="">All hooks</option>
          {hooks.map(({ name }) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </header>
      <div class="scroll" tabIndex={0} role="group" aria-label="Webhooks in, the newest first">
        <table>
          <thead>
            <tr>
              {["Hook", "Time", "Result", "Event", "ms", "Message or reason"].map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody id="hook-rows">
            {deliveries.map((delivery, index) => (
              <tr key={index} class={`verdict-${delivery.verdict}`}>
                <th scope="row">{delivery.hook}</th>
                <td>{clock(Date.parse(delivery.time))}</td>
                <td>{`${delivery.verdict} (${delivery.status})`}</td>
                <td>{delivery.event ?? ""}</td>
                <td>{decimal(delivery.milliseconds)}</td>
                <td class="why" title={delivery.reason ?? delivery.id}>
                  {delivery.reason ?? delivery.id ?? ""}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
