import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Message } from "../../client/index.ts";
import type { Chat } from "./chat.ts";
import { MessageRow } from "./message-row.tsx";
import { OutboxRows } from "./outbox-rows.tsx";
import type { Entry, Timeline } from "./timeline.ts";

/** Pixels from the end that count as being there. */
const NEAR = 40;
/** Milliseconds after a move upwards for which someone is on their way: browsers scroll for a key in many steps. */
const ON_THE_WAY = 150;
const GAPS: Readonly<Record<string, string>> = {
  expired: "Messages are missing here: they were dropped before this page could get them.",
  lost: "Messages are missing here: a server died before another had them.",
  unknown_cursor: "Messages may be missing here: the server's log is not the one that was read before.",
};

interface LogProps {
  readonly chat: Chat | undefined;
  readonly write: () => void;
}

/** The messages of the open channel, in both directions. */
export function Log({ chat, write }: LogProps) {
  const log = useRef<HTMLDivElement>(null);
  const room = chat?.room;
  useScrolling(log, chat);
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

/** Stays at the end if it was there, and otherwise with the rows in sight, whatever is added or dropped. */
function useScrolling(log: RefObject<HTMLElement | null>, chat: Chat | undefined): void {
  const timeline = chat?.room?.timeline;
  const rendered = useRef<Timeline["entries"]>([]);
  /** What was there after the last rendering or scrolling, and when someone last moved up. */
  const last = useRef({ top: 0, height: 0, movedUp: -Infinity });
  // Nothing of this rendering is in the document yet.
  const anchor = rendered.current === timeline?.entries ? undefined : anchorOf(log.current);
  const before = log.current?.scrollTop ?? 0;
  useLayoutEffect(() => {
    const { current } = log;
    if (current === null || timeline === undefined) return;
    rendered.current = timeline.entries;
    const { top, height, movedUp } = last.current;
    const { scrollHeight } = current;
    // A scroll that the browser has begun ends where this writes: it is left alone, and the first steps are near the end.
    const isLeaving = before < top || performance.now() - movedUp < ON_THE_WAY;
    const stays = timeline.isScrolledDown && !timeline.holds && !isLeaving;
    if (timeline.goesToEnd || (stays && scrollHeight !== height)) current.scrollTop = scrollHeight;
    else if (!stays && anchor?.row.isConnected === true) current.scrollTop = bottomOf(anchor.row) - anchor.fromTop;
    timeline.goesToEnd = false;
    timeline.holds = false;
    last.current = { top: current.scrollTop, height: scrollHeight, movedUp };
    timeline.scrolled(isDown(current));
    chat?.look();
  });
  useEffect(() => {
    const { current } = log;
    if (current === null || chat === undefined) return undefined;
    const onScroll = (): void => {
      const { scrollTop: top } = current;
      last.current = { ...last.current, top, ...(top < last.current.top && { movedUp: performance.now() }) };
      chat.room?.timeline.scrolled(isDown(current));
      chat.look();
    };
    current.addEventListener("scroll", onScroll, { passive: true });
    const observer = new ResizeObserver(() => {
      if (chat.room?.timeline.isScrolledDown !== true) return;
      current.scrollTop = current.scrollHeight;
      last.current = { ...last.current, top: current.scrollTop, height: current.scrollHeight };
    });
    observer.observe(current);
    return () => {
      current.removeEventListener("scroll", onScroll);
      observer.disconnect();
    };
  }, [chat]);
  useEffect(() => {
    // What was rendered is not news; what comes next is.
    const room = chat?.room;
    if (room?.isQuiet !== true) return;
    requestAnimationFrame(() => {
      room.isQuiet = false;
      chat?.changed();
    });
  });
}

/** The first row in sight, and how far its end is from the top: its head may go when another message comes before it. */
function anchorOf(log: HTMLElement | null): { readonly row: HTMLElement; readonly fromTop: number } | undefined {
  const { scrollTop = 0 } = log ?? {};
  const rows = log?.querySelectorAll<HTMLElement>("#rows > li") ?? [];
  for (const row of rows) if (bottomOf(row) > scrollTop) return { row, fromTop: bottomOf(row) - scrollTop };
  return undefined;
}

function bottomOf(row: HTMLElement): number {
  return row.offsetTop + row.offsetHeight;
}

function isDown({ scrollHeight, scrollTop, clientHeight }: HTMLElement): boolean {
  return scrollHeight - scrollTop - clientHeight < NEAR;
}
