import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Message } from "../../client/index.ts";
import { fullTime } from "../shared/times.ts";
import { fragmentOf } from "./address.ts";
import type { Chat } from "./chat.ts";
import { search, type Page } from "./history.ts";
import { Name } from "./message-row.tsx";
import { relationOf, textIn } from "./relation.ts";

/** Results asked for at once. */
const PAGE = 20;
/** Pages without a result that are gone through before the person is asked whether to go on: a search ends by time. */
const MAX_EMPTY = 5;
/** Characters of a message that are shown, and how many of them stand before what was found. */
const MAX_SHOWN = 240;
const BEFORE = 60;

interface Found {
  readonly messages: readonly Message[];
  /** Where to go on; null if that was all. */
  readonly earlier: string | null;
}

interface SearchProps {
  readonly chat: Chat;
  readonly field: RefObject<HTMLInputElement | null>;
  readonly close: () => void;
}

/** Looks for words in what is kept, in the open channel or in all of them. */
export function Search({ chat, field, close }: SearchProps) {
  const [everywhere, setEverywhere] = useState(false);
  const [found, setFound] = useState<Found>();
  const [state, say] = useState("");
  const asked = useRef("");
  const attempt = useRef(new AbortController());
  useEffect(() => () => attempt.current.abort(), []);

  const look = async (words: string, isEverywhere: boolean, before?: Found): Promise<void> => {
    attempt.current.abort();
    attempt.current = new AbortController();
    const { signal } = attempt.current;
    asked.current = words;
    if (before === undefined) setFound(undefined);
    if (words === "") return say("");
    say("Searching…");
    try {
      let messages = before?.messages ?? [];
      let earlier = before?.earlier ?? undefined;
      let page: Page | undefined;
      for (
        let tries = 0;
        tries < MAX_EMPTY && (page === undefined || (page.messages.length === 0 && earlier));
        tries++
      ) {
        page = await search(
          words,
          { channel: isEverywhere ? undefined : chat.channel, before: earlier, limit: PAGE },
          signal,
        );
        messages = [...messages, ...page.messages];
        earlier = page.earlier ?? undefined;
      }
      setFound({ messages, earlier: earlier ?? null });
      const count = messages.length === 0 ? "Nothing" : String(messages.length);
      say(`${count} found${earlier === undefined ? "" : " so far"}`);
    } catch (error) {
      if (!signal.aborted) say((error as Error).message);
    }
  };
  return (
    <section
      id="search"
      aria-label="Search"
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.preventDefault();
        close();
      }}
    >
      <form
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          void look(field.current?.value.trim() ?? "", everywhere);
        }}
      >
        <input
          id="words"
          ref={field}
          type="search"
          dir="auto"
          aria-label="Words to find"
          placeholder='Words, "a phrase", begin*'
          autocomplete="off"
          enterkeyhint="search"
        />
        <select
          id="where"
          aria-label="Where to search"
          value={everywhere ? "all" : "channel"}
          onChange={({ currentTarget }) => {
            const isEverywhere = currentTarget.value === "all";
            setEverywhere(isEverywhere);
            if (asked.current !== "") void look(asked.current, isEverywhere);
          }}
        >
          <option value="channel">{chat.channel}</option>
          <option value="all">everywhere</option>
        </select>
        <button>Search</button>
        <button type="button" onClick={close}>
          Close
        </button>
      </form>
      <p id="found" role="status">
        {state}
      </p>
      <ol aria-label="Found">
        {found?.messages.map((message) => (
          <Result key={message.id} chat={chat} message={message} words={asked.current} />
        ))}
      </ol>
      {found !== undefined && found.earlier !== null && (
        <button type="button" class="more" onClick={() => void look(asked.current, everywhere, found)}>
          Search on
        </button>
      )}
    </section>
  );
}

interface ResultProps {
  readonly chat: Chat;
  readonly message: Message;
  readonly words: string;
}

/** A message that was found, with a link to where it stands. */
function Result({ chat: { room }, message, words }: ResultProps) {
  const { channel, id, sender } = message;
  const time = new Date(message.time);
  const relation = relationOf(message);
  // A change stands at what it changed.
  const place = relation === undefined || relation.kind === "reply" ? id : relation.target;
  const isDeleted = room?.channel === channel && room.annotations.about(message).deleted !== undefined;
  return (
    <li>
      <a href={fragmentOf(channel, place ?? undefined)}>
        <span class="where">
          <Name sender={sender} /> in {channel}, <time dateTime={message.time}>{fullTime(time)}</time>
        </span>
        <span class="excerpt" dir="auto">
          {isDeleted ? "a deleted message" : excerptOf(message, words)}
        </span>
      </a>
    </li>
  );
}

/** A part of what a message says, with the first of the words if it is found as it was written. */
function excerptOf(message: Message, words: string): string {
  const text = (textIn(message) || JSON.stringify(message.data)).replace(/\s+/g, " ");
  const lower = text.toLowerCase();
  const places = words
    .toLowerCase()
    .split(/[\s"*]+/)
    .map((word) => (word === "" ? -1 : lower.indexOf(word)));
  const start = Math.max(0, (places.find((place) => place >= 0) ?? 0) - BEFORE);
  const shown = text.slice(start, start + MAX_SHOWN);
  return `${start > 0 ? "…" : ""}${shown}${start + MAX_SHOWN < text.length ? "…" : ""}`;
}
