import { useEffect, useLayoutEffect, useReducer, useRef, useState } from "preact/hooks";
import { connect } from "../../client/index.ts";
import { Inbox } from "../questions/inbox.tsx";
import { listenToPush } from "../questions/push.ts";
import { MyName } from "../shared/links.tsx";
import { Bar, mount, Refused } from "../shared/page.tsx";
import { readerOfBrowser } from "../shared/reader.ts";
import { loginAddress, type Session } from "../shared/session.ts";
import { ChannelButtons, Doing, Heading } from "./channel-header.tsx";
import { ChannelList } from "./channel-list.tsx";
import { Chat } from "./chat.ts";
import { Composer } from "./composer.tsx";
import { Log } from "./log.tsx";
import type { Reach } from "./reach.ts";
import { Readers } from "./readers.tsx";
import { Search } from "./search.tsx";
import { countText } from "./unread.ts";

interface ChatProps {
  /** Undefined if the person may read nothing. */
  readonly chat: Chat | undefined;
  readonly session: Session;
}

/** Channels, and people, services and agents who talk there. */
export function ChatPage({ chat, session }: Partial<ChatProps>) {
  const [, render] = useReducer((renders: number) => renders + 1, 0);
  const [panelIsOpen, openPanel] = useState(false);
  const [finds, find] = useReducer((times: number) => times + 1, 0);
  /** How often search was asked for since it was closed. */
  const [searches, setSearches] = useState(0);
  const words = useRef<HTMLInputElement>(null);
  const text = useRef<HTMLTextAreaElement>(null);
  const name = useRef<HTMLInputElement>(null);
  const toggle = useRef<HTMLButtonElement>(null);
  const write = (): void => text.current?.focus();
  useLayoutEffect(() => {
    if (chat === undefined) return;
    chat.render = () => render(undefined);
    if (hasKeyboard() && document.activeElement === document.body) write();
  }, [chat]);
  useLayoutEffect(() => openPanel(false), [chat?.opened]);
  useLayoutEffect(() => {
    if ((chat?.refused ?? "") !== "") openPanel(true);
  }, [chat?.refused]);
  useLayoutEffect(() => {
    if (finds === 0) return;
    name.current?.focus();
    name.current?.select();
  }, [finds]);
  useLayoutEffect(() => {
    if (searches > 0) words.current?.focus();
  }, [searches]);
  useKeys(chat, {
    write,
    search: () => setSearches(searches + 1),
    find: () => {
      // On wide screens the panel is always shown, without a button.
      if (toggle.current?.checkVisibility() === true) openPanel(true);
      find(undefined);
    },
  });
  useTitle(chat);

  const elsewhere = chat === undefined ? 0 : chat.unread.total - chat.unread.count(chat.channel);
  return (
    <MyName.Provider value={chat?.nickname ?? ""}>
      <a
        id="skip"
        class="skip"
        href="#text"
        hidden={chat === undefined}
        onClick={(event) => {
          // On this page a fragment names a channel.
          event.preventDefault();
          write();
        }}
      >
        Skip to the message field
      </a>
      <Bar current="Chat" session={session} />
      <div class="frame">
        <ChannelList
          chat={chat}
          field={name}
          isOpen={panelIsOpen}
          left={() => hasKeyboard() && write()}
          escaped={() => {
            openPanel(false);
            (panelIsOpen ? toggle : text).current?.focus();
          }}
        />
        <main onClick={({ target }) => void (toggle.current?.contains(target as Node) || openPanel(false))}>
          <header>
            <button
              id="show-channels"
              ref={toggle}
              type="button"
              aria-expanded={panelIsOpen}
              aria-controls="channels"
              onClick={() => openPanel(!panelIsOpen)}
            >
              <span class="unseen">Channels</span>
              <span class="stripes" />
              <span id="elsewhere" class="count">
                {elsewhere > 0 && countText(elsewhere)}
              </span>
            </button>
            <Heading chat={chat} />
            <Readers presence={chat?.presence} />
            {chat !== undefined && <ChannelButtons chat={chat} search={() => setSearches(searches + 1)} />}
          </header>
          <Banner away={chat?.reach.away} />
          {session !== undefined && chat === undefined ? (
            <Refused session={session} to="to read and write here" />
          ) : (
            <>
              {chat !== undefined && searches > 0 && (
                <Search
                  chat={chat}
                  field={words}
                  close={() => {
                    setSearches(0);
                    write();
                  }}
                />
              )}
              <Inbox questions={chat?.questions} desk={chat?.desk} />
              <Log chat={chat} session={session} write={write} />
              <Doing chat={chat} />
              <Composer chat={chat} field={text} />
            </>
          )}
        </main>
      </div>
      <noscript>
        <p class="noscript">
          The chat needs JavaScript; <a href="./">the start page</a> has lines for a terminal.
        </p>
      </noscript>
    </MyName.Provider>
  );
}

/** Says that the server is away. */
function Banner({ away }: { readonly away: Reach["away"] }) {
  return (
    <p id="banner" role="status" hidden={away === undefined}>
      <span id="why">{away !== undefined && awaySentence(away)}</span>{" "}
      <button
        id="reload"
        type="button"
        hidden={away?.kind !== "closed" || hasEnded(away)}
        onClick={() => location.reload()}
      >
        Reload
      </button>
      {hasEnded(away) && <a href={loginAddress()}>Log in</a>}
    </p>
  );
}

/** Whether the person has to log in again. */
function hasEnded(away: Reach["away"]): boolean {
  return away?.kind === "closed" && away.error?.code === "UNAUTHENTICATED" && away.error.fromHub;
}

function awaySentence(away: NonNullable<Reach["away"]>): string {
  if (away.kind === "offline") return "You are offline. What you send waits here until you are back.";
  if (away.kind === "waiting") {
    const { code, message } = away.error;
    const isRefusal = !["UNREACHABLE", "CONNECTION_LOST", "SILENT"].includes(code);
    return `${isRefusal ? message : "The server cannot be reached"}. What you send waits here until it is back.`;
  }
  if (hasEnded(away)) return "Your session has ended. What you send waits here until you log in again.";
  const why = away.error === undefined ? "" : `: ${away.error.message.replace(/\.$/, "")}`;
  return `The server refuses this page${why}. Nothing comes or goes until it is loaded again; what you send waits here.`;
}

/** Whether there is a keyboard, so that focusing a field does not open one on the screen. */
function hasKeyboard(): boolean {
  return matchMedia("(hover: hover) and (pointer: fine)").matches;
}

function useTitle(chat: Chat | undefined): void {
  // With what the page shows, and not after the next frame.
  useLayoutEffect(() => {
    if (chat === undefined) return;
    const { total } = chat.unread;
    const asked = chat.questions.open.length;
    const asks = asked === 0 ? "" : `${asked === 1 ? "1 question" : `${asked} questions`} · `;
    document.title = `${asks}${total === 0 ? "" : `(${countText(total)}) `}${chat.titles.name(chat.channel)} · Chat`;
    const icon = document.querySelector<HTMLLinkElement>("link[rel=icon]");
    const wanted = asked === 0 ? "icon.svg" : "icon-asked.svg";
    if (icon !== null && !icon.href.includes(`/${wanted}`)) icon.href = `assets/${wanted}`;
  });
}

interface Keys {
  readonly write: () => void;
  readonly search: () => void;
  /** Goes to where a channel is looked for. */
  readonly find: () => void;
}

/** Has keys do what otherwise takes a pointer, wherever the focus is. */
function useKeys(chat: Chat | undefined, keys: Keys): void {
  const last = useRef(keys);
  last.current = keys;
  useEffect(() => {
    if (chat === undefined) return undefined;
    const write = (): void => last.current.write();
    const onKeyDown = (event: KeyboardEvent): void => {
      const { key, target } = event;
      // On some keyboards, a slash takes Shift.
      if (event.isComposing || event.defaultPrevented || (event.shiftKey && key !== "/")) return;
      const isCommand = event.ctrlKey || event.metaKey;
      if (isCommand && !event.altKey && key.toLowerCase() === "k") last.current.find();
      else if (event.altKey && !isCommand && (key === "ArrowUp" || key === "ArrowDown")) {
        chat.step(key === "ArrowUp" ? -1 : 1);
      } else if (key === "/" && !isCommand && !event.altKey && !takesLetters(target)) last.current.search();
      else if (key === "Escape" && target instanceof Element && target.closest("#log") !== null) write();
      else return;
      event.preventDefault();
    };
    const onHashChange = (): void => void (hasKeyboard() && write());
    document.addEventListener("keydown", onKeyDown);
    addEventListener("hashchange", onHashChange);
    return () => {
      document.removeEventListener("keydown", onKeyDown);
      removeEventListener("hashchange", onHashChange);
    };
  }, [chat]);
}

function takesLetters(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]");
}

mount<ChatProps>(ChatPage, (_, session) => {
  const mayRead = session.admin || session.subscribe.length > 0;
  const chat = mayRead ? new Chat(connect("./", { reader: readerOfBrowser() }), session) : undefined;
  listenToPush((channel) => chat?.open(channel));
  return { session, chat };
});
