import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Message } from "../../client/index.ts";
import { Invitation } from "../first-visit/invitation.tsx";
import { mayWrite, type Session } from "../shared/session.ts";
import type { Chat } from "./chat.ts";
import type { MessageActions } from "./message-actions.ts";
import type { Room } from "./room.ts";
import { rove } from "../shared/roving.ts";
import { rowsOf, type Row } from "./conversation.ts";
import { menuButtonId, MessageMenu } from "./message-menu.tsx";
import { MessageRow } from "./message-row.tsx";
import { OutboxRows } from "./outbox-rows.tsx";
import { ToolCallsRow } from "./tool-calls.tsx";
import { useScrolling } from "./scrolling.ts";
import { Pointer, Titled } from "./pointer.tsx";

const GAPS: Readonly<Record<string, string>> = {
  expired: "Messages are missing here: they were dropped before this page could get them.",
  lost: "Messages are missing here: a server died before another had them.",
  unknown_cursor: "Messages may be missing here: the server's log is not the one that was read before.",
};

interface LogProps {
  readonly chat: Chat | undefined;
  readonly session: Session | undefined;
  readonly write: () => void;
}

/** The messages of the open channel, in both directions. */
export function Log({ chat, session, write }: LogProps) {
  const log = useRef<HTMLDivElement>(null);
  const room = chat?.room;
  useScrolling(log, chat);
  useQuiet(chat);
  useStopInSight(log, chat);
  const { hasOlder = false, isCutOff = false, isAtEnd = true, unseen = "" } = room?.timeline ?? {};
  return (
    <div class="stage">
      <div
        id="log"
        ref={log}
        role="log"
        aria-live={room?.isQuiet === true ? "off" : "polite"}
        aria-label="Messages"
        aria-busy={room?.isLoading === true}
        tabIndex={0}
      >
        <div class="edge">
          <More id="earlier" isShown={hasOlder} log={log} press={() => void room?.loadEarlier()}>
            Load earlier
          </More>
          <p id="note">{room?.topNote ?? "Loading…"}</p>
        </div>
        {chat !== undefined && session !== undefined && room?.isEmpty === true && (
          <Invitation
            key={room.channel}
            channel={room.channel}
            origin={new URL(".", location.href).href.replace(/\/$/, "")}
            needsCredential={session.login !== "none"}
            mayWrite={mayWrite(session, room.channel)}
            name={(chat.verifiedName === undefined && chat.nickname) || undefined}
            sayName={
              chat.nickname === "" ? () => document.querySelector<HTMLInputElement>("#nickname")?.focus() : undefined
            }
          />
        )}
        <ol id="rows" onKeyDown={(event) => rove(event, ".acts")}>
          {chat !== undefined && room !== undefined && linesOf(chat, room)}
        </ol>
        <div class="edge later">
          <More id="later" isShown={isCutOff} log={log} press={() => void room?.loadLater()}>
            Load later
          </More>
          <p id="later-note" hidden={(room?.bottomNote ?? "") === ""}>
            {room?.bottomNote}
          </p>
        </div>
        <OutboxRows chat={chat} acted={write} />
      </div>
      <button
        id="newest"
        type="button"
        hidden={isAtEnd}
        onClick={() => {
          chat?.toNewest();
          log.current?.focus();
        }}
      >
        {unseen === "" ? "To the newest" : unseen}
      </button>
      {chat?.actions?.menu !== undefined && (
        <MessageMenu key={chat.actions.menu.id} actions={chat.actions} message={chat.actions.menu} />
      )}
    </div>
  );
}

interface MoreProps {
  readonly id: string;
  readonly isShown: boolean;
  readonly log: RefObject<HTMLElement | null>;
  readonly press: () => void;
  readonly children: string;
}

/** Loads what is beyond one end; whoever was on it with the keyboard stays with the messages when it goes. */
function More({ id, isShown, log, press, children }: MoreProps) {
  const button = useRef<HTMLButtonElement>(null);
  const losesFocus = !isShown && button.current !== null && button.current === document.activeElement;
  useLayoutEffect(() => {
    if (losesFocus) log.current?.focus();
  });
  return (
    <button id={id} ref={button} type="button" hidden={!isShown} onClick={press}>
      {children}
    </button>
  );
}

function linesOf({ questions, desk, actions }: Chat, { timeline, annotations }: Room) {
  if (actions === undefined) return [];
  let above: Message | undefined;
  const rows = rowsOf(timeline.entries, annotations);
  const stop = stopOf(rows, actions);
  const { goesTo, marked } = timeline;
  if (goesTo !== undefined) actions.reveal(goesTo);
  const { me } = actions;
  return rows.map((row, index) => {
    if (row.kind === "gap") {
      const { reason } = row.gap;
      return (
        <li key={row.key} class="gap">
          <span>{GAPS[reason] ?? `Messages are missing here (${reason}).`}</span>
        </li>
      );
    }
    if (row.kind === "new") {
      return (
        <li key={row.key} class="new">
          <span>New</span>
        </li>
      );
    }
    if (row.kind === "calls") {
      const calls = <ToolCallsRow key={row.key} calls={row.calls} above={above} />;
      const last = row.calls.at(-1);
      above = last?.call ?? last?.result;
      return calls;
    }
    if (row.kind === "title") return <Titled key={row.key} row={row} />;
    if (row.kind === "pointer") return <Pointer key={row.key} row={row} actions={actions} />;
    const { key, message, receipt } = row;
    const isDirectlyBelow = rows[index - 1]?.kind === "message";
    const question = questions.of(message);
    const whyNot = question && desk.whyNot(question);
    const about = annotations.about(message);
    const isThreadOpen = message.id !== null && actions.isOpen(message.id);
    const isHere = (sought: string | undefined): boolean =>
      sought !== undefined && (sought === message.id || about.replies.some(({ id }) => id === sought));
    const shown = {
      message,
      receipt,
      above,
      isDirectlyBelow,
      question,
      whyNot,
      desk,
      about,
      actions,
      isThreadOpen,
      me,
    };
    above = message;
    return (
      <MessageRow
        key={key}
        {...shown}
        stop={isHere(stop) ? stop : undefined}
        isMenuOpen={actions.menu === message}
        marked={isHere(marked) ? marked : undefined}
      />
    );
  });
}

/** The message whose menu the Tab key reaches: the one that was acted on, or the last. */
function stopOf(rows: readonly Row[], actions: MessageActions): string | undefined {
  const { tabStop: stop, annotations } = actions;
  const isThere = rows.some((row) => row.kind === "message" && row.message.id === stop);
  const thread = stop === undefined ? undefined : annotations.rootOf(stop);
  const last = rows.findLast((row) => row.kind === "message" && row.message.id !== null);
  return isThere || (thread !== stop && thread !== undefined && actions.isOpen(thread)) ? stop : last?.key;
}

/** What was rendered is not news; what comes next is. */
function useQuiet(chat: Chat | undefined): void {
  useEffect(() => {
    const room = chat?.room;
    if (room?.isQuiet !== true) return;
    requestAnimationFrame(() => {
      room.isQuiet = false;
      chat?.changed();
    });
  });
}

/** Has the Tab key reach the menu of a message that is in sight: that of another would have the page scroll. */
function useStopInSight(log: RefObject<HTMLElement | null>, chat: Chat | undefined): void {
  useEffect(() => {
    const onKeyDown = ({ key }: KeyboardEvent): void => {
      const { current } = log;
      if (key !== "Tab" || current === null || document.activeElement?.closest("#rows") != null) return;
      const { top, bottom } = current.getBoundingClientRect();
      const isInSight = (button: HTMLElement): boolean => {
        const box = button.getBoundingClientRect();
        return box.height > 0 && box.top >= top && box.bottom <= bottom;
      };
      const buttons = [...current.querySelectorAll<HTMLElement>(".acts")];
      const before = buttons.find(({ tabIndex }) => tabIndex === 0);
      const next = buttons.findLast(isInSight);
      if (before === undefined || next === undefined || isInSight(before)) return;
      // The browser looks for the next stop before the page is rendered.
      before.tabIndex = -1;
      next.tabIndex = 0;
      chat?.actions?.select(next.id.slice(menuButtonId("").length));
    };
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  }, [chat]);
}
