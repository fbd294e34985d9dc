import type { Presence } from "./presence.ts";
import { presentIn } from "./present.ts";
import { readersSentence } from "./roster.ts";
import { Name } from "./message-row.tsx";

const NAMES_SHOWN = 4;

/** Who reads the channel now, and which agents wait for an answer there. */
export function Readers({ presence }: { readonly presence: Presence | undefined }) {
  const named = presence?.roster.names(performance.now()) ?? [];
  const { present, waiting } = presentIn(named, presence?.participants ?? [], Date.now());
  const { count, names, rest } = readersSentence(presence?.readers, present, NAMES_SHOWN);
  const [first] = waiting;
  return (
    <p id="readers">
      {first !== undefined && (
        <span class="waits">
          <Name sender={first.name} /> {first.doing}
          {waiting.length > 1 && ` and ${waiting.length - 1} more`}
        </span>
      )}
      {count !== "" && <span>{count}</span>}
      {names.length > 0 && (
        <span class="names">
          {names.map(({ name, doing }, index) => [
            index === 0 ? "" : ", ",
            <span key={name} title={doing}>
              <Name sender={name} />
            </span>,
          ])}
          {rest}
        </span>
      )}
    </p>
  );
}
