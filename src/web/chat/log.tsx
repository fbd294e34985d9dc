import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Message } from "../../client/index.ts";
import { Invitation } from "../first-visit/invitation.tsx";
import { mayWrite, type Session } from "../shared/session.ts";
import type { Chat } from "./chat.ts";
import { MessageRow } from "./message-row.tsx";
import { OutboxRows } from "./outbox-rows.tsx";
import { useScrolling } from "./scrolling.ts";
import type { Entry } from "./timeline.ts";

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
          />
        )}
        <ol id="rows">{chat !== undefined && room !== undefined && rowsOf(room.timeline.entries, chat)}</ol>
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

function rowsOf(entries: readonly Entry[], { questions, desk }: Chat) {
  let above: Message | undefined;
  return entries.map((entry, index) => {
    if (entry.kind === "gap") {
      const { reason } = entry.gap;
      return (
        <li key={entry.key} class="gap">
          <span>{GAPS[reason] ?? `Messages are missing here (${reason}).`}</span>
        </li>
      );
    }
    if (entry.kind === "new") {
      return (
        <li key={entry.key} class="new">
          <span>New</span>
        </li>
      );
    }
    const { key, message, receipt } = entry;
    const isDirectlyBelow = entries[index - 1]?.kind === "message";
    const question = questions.of(message);
    const whyNot = question && desk.whyNot(question);
    const row = { message, receipt, above, isDirectlyBelow, question, whyNot, desk };
    above = message;
    return <MessageRow key={key} {...row} />;
  });
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
