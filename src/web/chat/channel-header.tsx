import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Chat } from "./chat.ts";
import { Name } from "./message-row.tsx";
import { doingSentence } from "./typing.ts";

interface ChannelProps {
  readonly chat: Chat | undefined;
}

/** What the open channel is called, and its address if that is something else. */
export function Heading({ chat }: ChannelProps) {
  const { channel, titles } = chat ?? {};
  const { title = "", topic = "" } = (channel !== undefined && titles?.of(channel)) || {};
  return (
    <h1 id="channel" class={chat === undefined ? "" : "named"} title={topic === "" ? channel : topic}>
      {title !== "" && (
        <>
          <bdi>{title}</bdi>{" "}
        </>
      )}
      <span class={title === "" ? "" : "address"}>{channel ?? "Chat"}</span>
    </h1>
  );
}

/** Gives the open channel a title. */
function Rename({ chat }: { readonly chat: Chat }) {
  const [isOpen, open] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => open(false), [chat.channel]);
  useLayoutEffect(() => field.current?.focus(), [isOpen]);
  if (!isOpen) {
    return (
      <button id="rename" type="button" title="Give it a title, in any script" onClick={() => open(true)}>
        Name
      </button>
    );
  }
  return (
    <form
      id="title"
      onKeyDown={({ key }) => void (key === "Escape" && open(false))}
      onSubmit={(event) => {
        event.preventDefault();
        chat.setTitle(field.current?.value.trim() ?? "");
        open(false);
      }}
    >
      <input
        ref={field}
        aria-label="Title of the channel"
        dir="auto"
        maxLength={80}
        autocomplete="off"
        defaultValue={chat.titles.of(chat.channel)?.title ?? ""}
      />
      <button>Save</button>
    </form>
  );
}

/** What is done with the open channel in the lists. */
export function ChannelButtons({ chat, search }: { readonly chat: Chat; readonly search: () => void }) {
  const { channel, mine } = chat;
  const isFavourite = mine.isFavourite(channel);
  return (
    <div class="of-channel">
      <button
        id="show-search"
        type="button"
        aria-keyshortcuts="/"
        title="Search what is kept; / does this, too"
        onClick={search}
      >
        Search
      </button>
      <button
        id="favourite"
        type="button"
        aria-pressed={isFavourite}
        title={isFavourite ? "No longer among your favourites" : "Put it first, among your favourites"}
        onClick={() => {
          mine.setFavourite(channel, !isFavourite);
          chat.acted();
        }}
      >
        {isFavourite ? "★" : "☆"}
        <span class="unseen"> favourite</span>
      </button>
      {chat.actions?.mayWrite === true && <Rename chat={chat} />}
      <button
        id="archive"
        type="button"
        title="Hide it from the lists of this browser; it is found by its name, and nothing is deleted"
        hidden={chat.channels.length < 2}
        onClick={() => chat.archive(channel)}
      >
        Hide
      </button>
    </div>
  );
}

/** Who writes now, and which agent is thinking. */
export function Doing({ chat }: ChannelProps) {
  const now = chat?.presence?.typing.now(performance.now(), chat.nickname) ?? { typing: [], thinking: [] };
  return (
    <p id="doing" aria-live="off">
      {(["typing", "thinking"] as const).map((doing) => {
        if (now[doing].length === 0) return null;
        const { names, rest } = doingSentence(now[doing], doing);
        return (
          <span key={doing}>
            {names.map((name, index) => [index === 0 ? "" : ", ", <Name key={name} sender={name} />])}
            {rest}{" "}
          </span>
        );
      })}
    </p>
  );
}
