import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Chat } from "./chat.ts";
import { menuButtonId } from "./message-menu.tsx";
import { messageRowId } from "./message-row.tsx";
import type { Timeline } from "./timeline.ts";

/** Pixels from the end that count as being there. */
const NEAR = 40;
/**
 * Frames without a move upwards after which a scroll that someone began is over. Browsers scroll for a key in many
 * steps, one a frame, however far apart the frames of a busy machine are.
 */
const STILL = 10;
/** Pixels from either end within which more messages are loaded. */
const SOON = 300;
/** Keys that scroll up; the space bar does so with Shift. */
const UPWARDS = new Set(["Home", "PageUp", "ArrowUp"]);

/** Stays at the end if it was there, and otherwise with the rows in sight, whatever is added or dropped. */
export function useScrolling(log: RefObject<HTMLElement | null>, chat: Chat | undefined): void {
  const timeline = chat?.room?.timeline;
  const rendered = useRef<Timeline["entries"]>([]);
  /** What was there after the last rendering or scrolling. */
  const last = useRef({ top: 0, height: 0 });
  const leaving = useRef(new Leaving());
  // Nothing of this rendering is in the document yet.
  const anchor = rendered.current === timeline?.entries ? undefined : anchorOf(log.current);
  const before = log.current?.scrollTop ?? 0;
  useLayoutEffect(() => {
    const { current } = log;
    if (current === null || timeline === undefined) return;
    rendered.current = timeline.entries;
    // An invitation is read from its beginning.
    if (chat?.room?.isEmpty === true) return chat.markRead();
    const { scrollHeight } = current;
    // A scroll that the browser has begun ends where this writes: it is left alone, and its first steps are near the end.
    const isLeaving = before < last.current.top || leaving.current.isUnderWay;
    const stays = timeline.isScrolledDown && !timeline.holds && !isLeaving;
    if (timeline.goesToEnd || (stays && scrollHeight !== last.current.height)) current.scrollTop = scrollHeight;
    else if (!stays && anchor?.row.isConnected === true) moveTo(current, bottomOf(anchor.row) - anchor.fromTop);
    timeline.goesToEnd = false;
    timeline.holds = false;
    if (timeline.goesTo !== undefined) show(timeline.goesTo);
    timeline.goesTo = undefined;
    last.current = { top: current.scrollTop, height: scrollHeight };
    timeline.scrolled(isDown(current));
    // Lines may be few though messages are many: replies and reactions have none.
    const isShort = current.scrollHeight <= current.clientHeight;
    if (isShort && timeline.hasRoom && chat?.room?.topNote === "") loadEarlier(current, chat);
    chat?.markRead();
  });
  useEffect(() => {
    const { current } = log;
    if (current === null || chat === undefined) return undefined;
    const end = new AbortController();
    const { signal } = end;
    leaving.current.ended = () => loadEarlier(current, chat);
    const leave = (): void => void (current.scrollTop > 0 && leaving.current.begin());
    current.addEventListener(
      "scroll",
      () => {
        if (chat.room?.isEmpty === true) return;
        const { scrollTop: top } = current;
        if (top < last.current.top) leaving.current.begin();
        const isNearEnd = current.scrollHeight - top - current.clientHeight < SOON;
        if (top > last.current.top && isNearEnd && chat.room?.timeline.isCutOff === true) void chat.room.loadLater();
        last.current = { ...last.current, top };
        chat.room?.timeline.scrolled(isDown(current));
        chat.markRead();
      },
      { passive: true, signal },
    );
    // Between a key, or a wheel, and the first step that it takes, there is time for a message.
    current.addEventListener("keydown", (event) => void (scrollsUp(event) && leave()), { signal });
    current.addEventListener("wheel", ({ deltaY }) => void (deltaY < 0 && leave()), { passive: true, signal });
    const observer = new ResizeObserver(() => {
      if (chat.room?.timeline.isScrolledDown !== true || chat.room.isEmpty || leaving.current.isUnderWay) return;
      current.scrollTop = current.scrollHeight;
      last.current = { top: current.scrollTop, height: current.scrollHeight };
    });
    observer.observe(current);
    return () => {
      end.abort();
      observer.disconnect();
    };
  }, [chat]);
}

/** Whether someone is on their way up, from what began it to some frames after its last step. */
class Leaving {
  /** Called when it is over. */
  ended: () => void = () => {};
  #frames = 0;

  get isUnderWay(): boolean {
    return this.#frames > 0;
  }

  begin(): void {
    const isCounting = this.#frames > 0;
    this.#frames = STILL;
    if (!isCounting) requestAnimationFrame(() => this.#count());
  }

  #count(): void {
    this.#frames--;
    if (this.#frames > 0) requestAnimationFrame(() => this.#count());
    else this.ended();
  }
}

/** Loads what comes before, if the first of what is there is near, or in sight. */
function loadEarlier({ scrollTop }: HTMLElement, chat: Chat | undefined): void {
  const { room } = chat ?? {};
  if (scrollTop < SOON && room?.timeline.hasOlder === true && !room.isLoading) void room.loadEarlier();
}

function scrollsUp({ key, shiftKey, target, defaultPrevented }: KeyboardEvent): boolean {
  // Code and fields scroll by themselves.
  if (defaultPrevented || (target as Element).closest("pre, input, textarea") !== null) return false;
  return UPWARDS.has(key) || (key === " " && shiftKey);
}

/** Brings the line of a message into the middle of what is in sight. */
function show(id: string): void {
  const row = document.getElementById(messageRowId(id));
  for (let folded = row?.closest("details"); folded != null; folded = folded.parentElement?.closest("details")) {
    folded.open = true;
  }
  row?.scrollIntoView({ block: "center" });
  document.getElementById(menuButtonId(id))?.focus({ preventScroll: true });
}

/** Scrolls to a place, unless it is there: writing the same place, too, may end a scroll that is under way. */
function moveTo(log: HTMLElement, top: number): void {
  if (Math.abs(log.scrollTop - top) >= 1) log.scrollTop = top;
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
