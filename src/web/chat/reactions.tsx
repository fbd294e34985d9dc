import type { Message } from "../../client/index.ts";
import { readable } from "../shared/names.ts";
import { rove } from "../shared/roving.ts";
import type { Reaction } from "./annotations.ts";
import type { MessageActions } from "./message-actions.ts";

/** Names that are told of those who reacted with one emoji. */
const MAX_NAMES = 20;

interface ReactionsProps {
  readonly message: Message;
  readonly reactions: readonly Reaction[];
  readonly actions: MessageActions;
  /** The identity of the person. */
  readonly me: string;
}

/** How people reacted to a message; pressing one joins them, or takes one's own back. */
export function Reactions({ message, reactions, actions, me }: ReactionsProps) {
  return (
    <div class="reactions" role="group" aria-label="Reactions" onKeyDown={(event) => rove(event, "button")}>
      {reactions.map(({ emoji, by }, index) => {
        const names = namesOf(by.map(({ name }) => name));
        return (
          <button
            key={emoji}
            type="button"
            class="reaction"
            tabIndex={index === 0 ? 0 : -1}
            aria-pressed={by.some(({ identity }) => identity === me)}
            title={names}
            disabled={!actions.mayWrite}
            onClick={() => actions.react(message, emoji)}
          >
            {emoji} {by.length}
            <span class="unseen">: {names}</span>
            <span class="who-reacted" aria-hidden="true">
              {names}
            </span>
          </button>
        );
      })}
    </div>
  );
}

function namesOf(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMES).map((name) => readable(name) || "no name");
  const rest = names.length - shown.length;
  return rest === 0 ? shown.join(", ") : `${shown.join(", ")} and ${rest} more`;
}
