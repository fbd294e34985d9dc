import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useReducer, useRef, useState } from "preact/hooks";
import type { ItemBuffer } from "./item-buffer.ts";

/** Pixels; the stylesheet says the same. */
const ROW = 28;
/** Rows beyond each edge, so that none is missing while it scrolls. */
const MARGIN = 6;
/** Milliseconds that new items may wait to be drawn: no one reads faster. */
const DRAW_DELAY = 60;

interface ListingProps<Item> {
  readonly id: string;
  readonly label: string;
  /** What the chosen item is called. */
  readonly detailLabel: string;
  readonly buffer: ItemBuffer<Item>;
  readonly row: (item: Item) => { readonly kind?: string; readonly cells: ComponentChildren };
  /** All there is to say about an item. */
  readonly describe: (item: Item) => string;
}

/** Renders again after a buffer has changed, soon and at most once a frame. */
export function useBuffer<Item>(buffer: ItemBuffer<Item>): void {
  const [, draw] = useReducer((draws: number) => draws + 1, 0);
  useEffect(() => {
    let waiting: ReturnType<typeof setTimeout> | undefined;
    buffer.changed = () => {
      waiting ??= setTimeout(() => {
        requestAnimationFrame(() => {
          waiting = undefined;
          draw(undefined);
        });
      }, DRAW_DELAY);
    };
    buffer.changed();
  }, [buffer]);
}

/**
 * Rows of one height, of which only those in view exist. It follows the newest until someone scrolls away, and then
 * stays with the rows in view while older ones are dropped.
 */
export function Listing<Item extends { readonly key: number }>(props: ListingProps<Item>) {
  const { id, label, detailLabel, buffer, row, describe } = props;
  const { shown } = buffer;
  const box = useRef<HTMLDivElement>(null);
  const [, draw] = useReducer((draws: number) => draws + 1, 0);
  const [chosen, setChosen] = useState<Item>();
  /** The first row in view and how far it is scrolled out; undefined to follow the newest. */
  const anchor = useRef<{ readonly item: Item | undefined; readonly offset: number } | undefined>(undefined);
  /** Where the page itself scrolled to. */
  const ownTop = useRef(0);

  const height = box.current?.clientHeight ?? 0;
  const end = Math.max(shown.length * ROW - height, 0);
  const top = anchor.current === undefined ? end : Math.min(topOf(shown, anchor.current), end);
  useLayoutEffect(() => {
    if (box.current === null) return;
    if (box.current.scrollTop !== top) box.current.scrollTop = top;
    ownTop.current = box.current.scrollTop;
  });
  useEffect(() => {
    const observer = new ResizeObserver(() => draw(undefined));
    observer.observe(box.current as HTMLElement);
    return () => observer.disconnect();
  }, []);

  const stayAt = (scrollTop: number): void => {
    anchor.current = { item: shown[Math.floor(scrollTop / ROW)], offset: scrollTop % ROW };
    draw(undefined);
  };
  const follow = (): void => {
    anchor.current = undefined;
    draw(undefined);
  };
  const choose = (item: Item | undefined): void => {
    setChosen(item);
    if (item !== undefined && anchor.current === undefined) stayAt(box.current?.scrollTop ?? 0);
  };
  const onScroll = (): void => {
    const { scrollTop = 0 } = box.current ?? {};
    if (scrollTop === ownTop.current) return;
    if (scrollTop > end - ROW) follow();
    else stayAt(scrollTop);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const at = chosen === undefined ? shown.length : shown.lastIndexOf(chosen);
    const next = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0 }[event.key];
    if (event.key === "Escape") choose(undefined);
    else if (event.key === "End") {
      choose(undefined);
      follow();
    } else if (next !== undefined) {
      const index = Math.min(Math.max(next, 0), shown.length - 1);
      choose(shown[index]);
      if (index * ROW < top) stayAt(index * ROW);
      else if ((index + 1) * ROW > top + height) stayAt((index + 1) * ROW - height);
    } else return;
    event.preventDefault();
  };

  const first = Math.max(Math.floor(top / ROW) - MARGIN, 0);
  const inView = shown.slice(first, Math.ceil((top + height) / ROW) + MARGIN);
  const rowId = (item: Item): string => `${id}-row-${item.key}`;
  return (
    <>
      <div class="listing">
        <div
          id={id}
          ref={box}
          class="rows"
          role="listbox"
          tabIndex={0}
          aria-label={label}
          aria-activedescendant={chosen !== undefined && inView.includes(chosen) ? rowId(chosen) : undefined}
          onScroll={onScroll}
          onKeyDown={onKeyDown}
        >
          <div role="presentation" style={shown.length > 0 ? { height: `${shown.length * ROW}px` } : undefined}>
            {inView.map((item, place) => {
              const { kind = "", cells } = row(item);
              return (
                <div
                  key={item.key}
                  id={rowId(item)}
                  class={`row ${kind}`}
                  role="option"
                  aria-selected={item === chosen}
                  aria-posinset={first + place + 1}
                  aria-setsize={shown.length}
                  style={{ transform: `translateY(${(first + place) * ROW}px)` }}
                  onClick={() => choose(item === chosen ? undefined : item)}
                >
                  {cells}
                </div>
              );
            })}
          </div>
        </div>
        <button
          id={`${id}-newest`}
          class="newest"
          type="button"
          hidden={anchor.current === undefined}
          onClick={() => {
            follow();
            box.current?.focus();
          }}
        >
          To the newest
        </button>
      </div>
      <pre id={`${id}-detail`} class="detail" tabIndex={0} aria-label={detailLabel} hidden={chosen === undefined}>
        {chosen !== undefined && describe(chosen)}
      </pre>
    </>
  );
}

/** Where rows are scrolled to so that one is the first in view; to the start, if it was dropped. */
function topOf<Item>(
  shown: readonly Item[],
  { item, offset }: { readonly item: Item | undefined; readonly offset: number },
): number {
  const index = item === undefined ? -1 : shown.indexOf(item);
  return index === -1 ? 0 : index * ROW + offset;
}

/** The button that pauses a buffer and resumes it, and says which of the two it does next. */
export function PauseButton<Item>({ id, buffer }: { readonly id: string; readonly buffer: ItemBuffer<Item> }) {
  const [paused, setPaused] = useState(buffer.paused);
  const toggle = (): void => {
    buffer.pause(!paused);
    setPaused(!paused);
  };
  return (
    <button id={id} type="button" class={paused ? "paused" : ""} onClick={toggle}>
      {paused ? "Resume" : "Pause"}
    </button>
  );
}
