import { Fragment, type ComponentChildren, type RefObject } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";
import { count } from "../shared/format.ts";
import { rove } from "../shared/roving.ts";
import { addressFor } from "./channel-name.ts";
import type { Chat } from "./chat.ts";
import { useListed } from "./listed.ts";
import { groupsOf, type Group } from "./my-channels.ts";
import { countText } from "./unread.ts";

/** What can be a title and no address. */
const TITLED = /^(?=.*[^\w.-])[^*#/]{1,80}$/u;

interface Section {
  readonly title: string;
  readonly groups: readonly Group[];
  /** Whose channels they are. */
  readonly item: "mine" | "others";
}

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

  const typed = field.current?.value.trim() ?? "";
  const { channels = [], channel: open = "", refused = "" } = chat ?? {};
  // What was refused as a name is nothing to look for.
  const titleOf = (name: string): string => chat?.titles.name(name) ?? name;
  const isWanted = (name: string): boolean =>
    refused !== "" || [name, titleOf(name)].some((each) => each.toLowerCase().includes(wanted));
  const { mine: lists } = chat ?? {};
  const mine = channels.filter(isWanted);
  const favourites = mine.filter((name) => lists?.isFavourite(name) === true);
  const kept = new Map(listed.map(({ channel, messages }) => [channel, messages]));
  // What is hidden is found by its name.
  const isShown = (name: string): boolean => wanted !== "" || lists?.isArchived(name) !== true;
  const others = [...kept.keys()].filter((name) => !channels.includes(name) && isWanted(name) && isShown(name));
  const sections: readonly Section[] = [
    { title: "Favourites", groups: [{ prefix: undefined, names: favourites }], item: "mine" },
    { title: "Your channels", groups: groupsOf(mine.filter((name) => !favourites.includes(name))), item: "mine" },
    { title: "More channels", groups: groupsOf(others), item: "others" },
  ];
  // While someone looks for a channel, nothing is folded.
  const isFolded = (prefix: string | undefined): boolean =>
    prefix !== undefined && wanted === "" && lists?.isFolded(prefix) === true && !open.startsWith(`${prefix}.`);
  const all = sections.flatMap(({ groups }) => groups.flatMap(({ prefix, names }) => (isFolded(prefix) ? [] : names)));
  // They are one stop of the Tab key: the one that has the focus, the open one, or the first.
  const stop = [focused, open].find((name) => name !== undefined && all.includes(name)) ?? all[0];
  const link = (name: string) => ({
    name,
    title: titleOf(name),
    isOpen: name === open,
    isStop: name === stop,
    focus: setFocused,
  });
  return (
    <nav
      id="channels"
      class={isOpen ? "open" : ""}
      aria-label="Channels"
      onFocusOut={() => setFocused(undefined)}
      onKeyDown={(event) => {
        rove(event, "li > a, .group");
        if (event.key !== "Escape") return;
        chat?.refuse("");
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
            chat?.refuse("");
            setWanted(currentTarget.value.trim().toLowerCase());
          }}
        />
        <button disabled={chat === undefined}>Open</button>
      </form>
      <p id="refused" role="alert">
        {refused}
      </p>
      {refused !== "" && TITLED.test(typed) && chat !== undefined && (
        <button
          id="open-titled"
          type="button"
          onClick={() => {
            if (!chat.join(addressFor(typed))) return;
            if (chat.titles.name(chat.channel) !== typed) chat.setTitle(typed);
            left();
          }}
        >
          Open {addressFor(typed)}, with the title <bdi>{typed}</bdi>
        </button>
      )}
      {sections.map(({ title, groups, item }) => (
        <Fragment key={title}>
          <h2
            hidden={
              groups.every(({ names }) => names.length === 0) || (title === "Your channels" && favourites.length === 0)
            }
          >
            {title}
          </h2>
          <ul id={title === "Favourites" ? "favourites" : item} aria-label={title}>
            {groups.map(({ prefix, names }) => (
              <Fragment key={prefix ?? `before ${names[0]}`}>
                {prefix !== undefined && (
                  <li>
                    <GroupButton
                      prefix={prefix}
                      isFolded={isFolded(prefix)}
                      unread={isFolded(prefix) ? sumOf(names, chat) : 0}
                      toggle={(folded) => {
                        lists?.setFolded(prefix, folded);
                        chat?.acted();
                      }}
                    />
                  </li>
                )}
                {!isFolded(prefix) &&
                  names.map((name) =>
                    item === "mine" ? (
                      <Mine
                        key={name}
                        chat={chat as Chat}
                        canLeave={channels.length > 1}
                        prefix={prefix}
                        {...link(name)}
                      />
                    ) : (
                      <li key={name} class={prefix === undefined ? "" : "member"}>
                        <Link {...link(name)} prefix={prefix}>
                          <span class="size">{count(kept.get(name) ?? 0)} kept</span>
                        </Link>
                      </li>
                    ),
                  )}
              </Fragment>
            ))}
          </ul>
        </Fragment>
      ))}
    </nav>
  );
}

interface LinkProps {
  readonly name: string;
  /** What it is called: its name, unless someone gave it a title. */
  readonly title: string;
  readonly isOpen: boolean;
  readonly isStop: boolean;
  readonly focus: (name: string) => void;
  /** What its name begins with, if it is in a group. */
  readonly prefix?: string | undefined;
  readonly children?: ComponentChildren;
}

function Link({ name, title, isOpen, isStop, focus, prefix, children }: LinkProps) {
  return (
    <a
      id={`to:${name}`}
      href={`#${encodeURIComponent(name)}`}
      title={name}
      tabIndex={isStop ? 0 : -1}
      aria-current={isOpen ? "page" : undefined}
      onFocus={() => focus(name)}
    >
      <span class="label" dir="auto">
        {prefix !== undefined && title === name && <span class="prefix">{prefix}.</span>}
        {prefix === undefined || title !== name ? title : name.slice(prefix.length + 1)}
      </span>
      {children}
    </a>
  );
}

function Mine({ chat, canLeave, ...link }: LinkProps & { readonly chat: Chat; readonly canLeave: boolean }) {
  const { name, isOpen } = link;
  const isLookedAt = isOpen && document.hasFocus();
  const unread = isLookedAt ? 0 : chat.unread.count(name);
  const mentions = isLookedAt ? 0 : chat.unread.mentions(name);
  return (
    <li class={`${unread > 0 ? "unread" : ""}${link.prefix === undefined ? "" : " member"}`.trim()}>
      <Link {...link}>
        {mentions > 0 && (
          <span class="mentions">
            @{countText(mentions)}
            <span class="unseen"> mention you, </span>
          </span>
        )}
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

interface GroupButtonProps {
  readonly prefix: string;
  readonly isFolded: boolean;
  /** What is unread in it, if it is folded. */
  readonly unread: number;
  readonly toggle: (folded: boolean) => void;
}

/** Folds the channels whose names begin with the same words. */
function GroupButton({ prefix, isFolded, unread, toggle }: GroupButtonProps) {
  return (
    <button type="button" class="group" tabIndex={-1} aria-expanded={!isFolded} onClick={() => toggle(!isFolded)}>
      <span class="label-of-group">{prefix}</span>
      {unread > 0 && (
        <span class="count">
          {countText(unread)}
          <span class="unseen"> unread</span>
        </span>
      )}
    </button>
  );
}

function sumOf(names: readonly string[], chat: Chat | undefined): number {
  return names.reduce((sum, name) => sum + (chat?.unread.count(name) ?? 0), 0);
}
