import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Message } from "../../client/index.ts";
import { copy } from "../shared/copy.ts";
import { readable } from "../shared/names.ts";
import { rove } from "../shared/roving.ts";
import type { MessageActions } from "./message-actions.ts";
import { isEmoji } from "./relation.ts";

const OFFERED = ["👍", "❤️", "😄", "🎉", "👀", "✅"];
/** Pixels between the menu and what it belongs to, or the edge of the window. */
const GAP = 4;

/** The id of the button that opens the menu of a message. */
export function menuButtonId(id: string): string {
  return `menu:${id}`;
}

/** What can be done with a message: react, answer, link to it, and change it if it is one's own. */
export function MessageMenu({ actions, message }: { readonly actions: MessageActions; readonly message: Message }) {
  const box = useRef<HTMLDivElement>(null);
  const [isSure, setSure] = useState(false);
  const [refused, refuse] = useState(false);
  const close = (returns: boolean): void => {
    actions.openMenu(undefined);
    if (returns) document.getElementById(menuButtonId(message.id as string))?.focus();
  };
  useLayoutEffect(() => {
    place(box.current, message);
    box.current?.querySelector("button")?.focus({ preventScroll: true });
  }, []);
  useEffect(() => {
    const end = new AbortController();
    const leave = ({ target }: Event): void => void (box.current?.contains(target as Node) || close(false));
    document.addEventListener("pointerdown", leave, { signal: end.signal });
    document.addEventListener("scroll", () => place(box.current, message), { signal: end.signal, capture: true });
    return () => end.abort();
  }, []);
  const act = (what: () => void) => () => {
    close(true);
    what();
  };
  const isDeleted = actions.annotations.about(message).deleted !== undefined;
  return (
    <div
      id="message-menu"
      ref={box}
      role="dialog"
      aria-label={`Message of ${readable(message.sender)}`}
      onKeyDown={(event) => {
        rove(event, "button");
        if (event.key === "Escape") {
          event.stopPropagation();
          close(true);
        }
      }}
      onFocusOut={({ relatedTarget }) => {
        if (relatedTarget !== null && box.current?.contains(relatedTarget as Node) === false) close(false);
      }}
    >
      {actions.mayWrite && !isDeleted && (
        <>
          <div class="emoji" role="group" aria-label="React">
            {OFFERED.map((emoji) => (
              <button key={emoji} type="button" onClick={act(() => actions.react(message, emoji))}>
                {emoji}
              </button>
            ))}
          </div>
          <form
            onSubmit={(event) => {
              event.preventDefault();
              const emoji = (event.currentTarget.elements.namedItem("emoji") as HTMLInputElement).value.trim();
              if (isEmoji(emoji)) act(() => actions.react(message, emoji))();
              else refuse(true);
            }}
          >
            <input
              name="emoji"
              aria-label="Another emoji"
              placeholder={refused ? "One emoji" : "Another emoji"}
              aria-invalid={refused}
              autocomplete="off"
              maxLength={40}
            />
            <button>React</button>
          </form>
          <button type="button" onClick={act(() => actions.begin({ kind: "reply", message }))}>
            Reply
          </button>
        </>
      )}
      {actions.canEdit(message) && (
        <button type="button" onClick={act(() => actions.begin({ kind: "edit", message }))}>
          Edit
        </button>
      )}
      <button type="button" onClick={act(() => void copy(actions.linkTo(message), null))}>
        Copy link
      </button>
      {actions.canDelete(message) && (
        <button
          type="button"
          class="remove"
          title="The chat shows it no more; the log keeps it"
          onClick={() => (isSure ? act(() => actions.remove(message))() : setSure(true))}
        >
          {isSure ? "Delete it for everyone?" : "Delete"}
        </button>
      )}
    </div>
  );
}

/** Below its button, or above it if there is more room. */
function place(menu: HTMLElement | null, { id }: Message): void {
  const button = document.getElementById(menuButtonId(id ?? ""))?.getBoundingClientRect();
  if (menu === null || button === undefined) return;
  const { width, height } = menu.getBoundingClientRect();
  const below = button.bottom + GAP;
  const top = below + height > innerHeight ? Math.max(GAP, button.top - height - GAP) : below;
  menu.style.top = `${top}px`;
  menu.style.left = `${Math.min(Math.max(GAP, button.right - width), innerWidth - width - GAP)}px`;
}
