import { useState } from "preact/hooks";
import type { ScheduledMessage } from "../../protocol/message.ts";
import { count } from "../shared/format.ts";

/** The next messages that are scheduled, and whether there are more. */
export interface ScheduledListed {
  readonly scheduled: readonly ScheduledMessage[];
  readonly more: boolean;
}

/** Rows of the table. */
const SHOWN = 50;

/** Asks what is scheduled; undefined if the hub does not say. */
export async function loadScheduled(): Promise<ScheduledListed | undefined> {
  try {
    const response = await fetch(`scheduled?limit=${SHOWN}`, { cache: "no-store" });
    const { scheduled, next } = (await response.json()) as Partial<Record<string, never>>;
    return scheduled === undefined ? undefined : { scheduled, more: next !== null };
  } catch {
    return undefined;
  }
}

/** What is to be published later, the next first, if anything is. */
export function Scheduled({ listed, changed }: { readonly listed: ScheduledListed; readonly changed: () => void }) {
  const [failure, setFailure] = useState("");
  const { scheduled, more } = listed;
  if (scheduled.length === 0) return null;
  const cancel = async ({ id, channel }: ScheduledMessage): Promise<void> => {
    const response = await fetch(`scheduled/${id}`, { method: "DELETE" }).catch(() => undefined);
    const isGone = response?.status === 204 || response?.status === 404;
    setFailure(isGone ? "" : `The message for ${channel} could not be cancelled`);
    changed();
  };
  return (
    <section class="panel nodes" aria-labelledby="scheduled-title">
      <header>
        <h2 id="scheduled-title">Scheduled messages</h2>
        <p id="scheduled-count" class="count">
          {more ? `the next ${count(scheduled.length)}` : count(scheduled.length)}
        </p>
        <p role="status">{failure}</p>
      </header>
      <div class="scroll" tabIndex={0} role="group" aria-label="Scheduled messages, the next first">
        <table>
          <thead>
            <tr>
              {["Channel", "At", "Event", "By", "Cancel"].map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody id="scheduled-rows">
            {scheduled.map((one) => (
              <tr key={one.id}>
                <th scope="row">{one.channel}</th>
                <td>
                  <time dateTime={one.at}>{new Date(one.at).toLocaleString()}</time>
                </td>
                <td>{one.event}</td>
                <td>{one.by ?? "the hub"}</td>
                <td>
                  <button
                    type="button"
                    aria-label={`Cancel the message for ${one.channel} at ${new Date(one.at).toLocaleString()}`}
                    onClick={() => void cancel(one)}
                  >
                    Cancel
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
