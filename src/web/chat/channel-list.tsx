import type { ComponentChildren, RefObject } from "preact";
import { useEffect, useLayoutEffect, useState } from "preact/hooks";
import { count } from "../shared/format.ts";
import { rove } from "../shared/roving.ts";
import { BY_NAME, type Chat } from "./chat.ts";
import { channelsOf, type Listed } from "./history.ts";
import { countText } from "./unread.ts";

const LISTED = 200;
/** Milliseconds between looks for channels of others. */
const REFRESH_INTERVAL = 30_000;

interface ChannelListProps {
  readonly chat: Chat | undefined;
  readonly field: RefObject<HTMLInputElement | null>;
  /** Over the messages of a narrow screen. */
  readonly isOpen: boolean;
  /** A channel was opened from here. */
  readonly left: () => void;
  readonly escaped: () => void;
}

/** The channels of the person with what is unread there, and those of others. */
export function ChannelList({ chat, field, isOpen, left, escaped }: ChannelListProps) {
  const listed = useListed(chat);
  const [wanted, setWanted] = useState("");
  const [focused, setFocused] = useState<string>();
  const clear = (): void => {
    if (field.current !== null) field.current.value = "";
    setWanted("");
  };
  useLayoutEffect(clear, [chat?.opened]);

  const { channels = [], channel: open = "", refused = "" } = chat ?? {};
  // What was refused as a name is nothing to look for.
  const isWanted = (name: string): boolean => refused !== "" || name.toLowerCase().includes(wanted);
  const mine = channels.filter(isWanted);
  const others = listed
    .filter(({ channel }) => !channels.includes(channel) && isWanted(channel))
    .sort((a, b) => BY_NAME.compare(a.channel, b.channel));
  const all = [...mine, ...others.map(({ channel }) => channel)];
  // They are one stop of the Tab key: the one that has the focus, the open one, or the first.
  const stop = [focused, open].find((name) => name !== undefined && all.includes(name)) ?? all[0];
  const link = (name: string) => ({ name, isOpen: name === open, isStop: name === stop, focus: setFocused });
  return (
    <nav
      id="channels"
      class={isOpen ? "open" : ""}
      aria-label="Channels"
      onFocusOut={() => setFocused(undefined)}
      onKeyDown={(event) => {
        rove(event, "li > a");
        if (event.key !== "Escape") return;
        refuse(chat, "");
        clear();
        escaped();
      }}
    >
      <form
        id="join"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (chat?.join(field.current?.value.trim() ?? "") === true) left();
          else field.current?.focus();
        }}
      >
        <label class="unseen" for="name">
          Find or make a channel
        </label>
        <input
          id="name"
          ref={field}
          placeholder="Find a channel"
          title="Ctrl+K, or ⌘K, goes here; Alt+↑ and Alt+↓ go from one of your channels to the next"
          aria-keyshortcuts="Control+K Meta+K"
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          aria-describedby="refused"
          aria-invalid={refused !== ""}
          onInput={({ currentTarget }) => {
            refuse(chat, "");
            setWanted(currentTarget.value.trim().toLowerCase());
          }}
        />
        <button disabled={chat === undefined}>Open</button>
      </form>
      <p id="refused" role="alert">
        {refused}
      </p>
      <ul id="mine" aria-label="Your channels">
        {mine.map((name) => (
          <Mine key={name} chat={chat as Chat} canLeave={channels.length > 1} {...link(name)} />
        ))}
      </ul>
      <h2 id="others-title" hidden={others.length === 0}>
        More channels
      </h2>
      <ul id="others" aria-labelledby="others-title">
        {others.map(({ channel, messages }) => (
          <li key={channel}>
            <Link {...link(channel)}>
              <span class="size">{count(messages)} kept</span>
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

interface LinkProps {
  readonly name: string;
  readonly isOpen: boolean;
  readonly isStop: boolean;
  readonly focus: (name: string) => void;
  readonly children?: ComponentChildren;
}

function Link({ name, isOpen, isStop, focus, children }: LinkProps) {
  return (
    <a
      id={`to:${name}`}
      href={`#${encodeURIComponent(name)}`}
      title={name}
      tabIndex={isStop ? 0 : -1}
      aria-current={isOpen ? "page" : undefined}
      onFocus={() => focus(name)}
    >
      <span class="label">{name}</span>
      {children}
    </a>
  );
}

function Mine({ chat, canLeave, ...link }: LinkProps & { readonly chat: Chat; readonly canLeave: boolean }) {
  const { name, isOpen } = link;
  const unread = isOpen && document.hasFocus() ? 0 : chat.unread.count(name);
  return (
    <li class={unread > 0 ? "unread" : ""}>
      <Link {...link}>
        {unread > 0 && (
          <span class="count">
            {countText(unread)}
            <span class="unseen"> unread</span>
          </span>
        )}
      </Link>
      {isOpen && canLeave && (
        <button
          type="button"
          class="leave"
          title="Take it off this list; nothing is deleted"
          onClick={() => chat.leave(name)}
        >
          <span class="unseen">Leave {name}</span>
          <span class="cross" />
        </button>
      )}
    </li>
  );
}

/** The channels that the server lists, looked up now and then. */
function useListed(chat: Chat | undefined): readonly Listed[] {
  const [listed, setListed] = useState<readonly Listed[]>([]);
  useEffect(() => {
    if (chat === undefined) return undefined;
    const look = async (): Promise<void> => {
      if (document.hidden) return;
      const found = await channelsOf("*", LISTED).catch(() => undefined);
      if (found !== undefined) setListed(found);
    };
    void look();
    const timer = setInterval(() => void look(), REFRESH_INTERVAL);
    return () => clearInterval(timer);
  }, [chat]);
  return listed;
}

function refuse(chat: Chat | undefined, sentence: string): void {
  if (chat === undefined || chat.refused === sentence) return;
  chat.refused = sentence;
  chat.changed();
}
