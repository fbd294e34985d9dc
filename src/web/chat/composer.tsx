import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { NotifyMe } from "../questions/inbox.tsx";
import { readable } from "../shared/names.ts";
import { AttachButton, AttachmentList, useAttachments } from "./attachments.tsx";
import type { Chat } from "./chat.ts";
import { MentionList, namesFor, offeredId, withName } from "./mention-list.tsx";
import type { MessageActions } from "./message-actions.ts";

interface ComposerProps {
  readonly chat: Chat | undefined;
  readonly field: RefObject<HTMLTextAreaElement | null>;
}

/** Where a message is written: what is unfinished stays with its channel. */
export function Composer({ chat, field }: ComposerProps) {
  const drafts = useRef(new Map<string, string>());
  const last = useRef("");
  /** What was being written before an edit began. */
  const draft = useRef<string>(undefined);
  const channel = chat?.channel ?? "";
  useLayoutEffect(() => {
    const { current } = field;
    if (current === null || channel === "") return;
    // What was written before the script was there goes to the channel that is opened first.
    drafts.current.set(last.current || channel, draft.current ?? current.value);
    draft.current = undefined;
    last.current = channel;
    current.value = drafts.current.get(channel) ?? "";
    fit(current);
  }, [channel]);

  useLayoutEffect(() => {
    if (chat === undefined) return;
    chat.quoted = (text) => {
      const { current } = field;
      if (current === null) return;
      // With the channel that the question is on.
      requestAnimationFrame(() => {
        current.value = `${text.replace(/^/gm, "> ")}\n\n${current.value}`;
        fit(current);
        current.focus();
      });
    };
  }, [chat]);

  const subject = chat?.actions?.subject;
  useLayoutEffect(() => {
    const { current } = field;
    if (current === null || chat === undefined) return;
    // What was being written comes back after an edit.
    if (draft.current !== undefined) current.value = draft.current;
    draft.current = undefined;
    if (subject?.kind === "edit") {
      draft.current = current.value;
      const text = chat.actions?.textOf(subject.message);
      current.value = typeof text === "string" ? text : "";
    }
    fit(current);
    if (subject !== undefined) current.focus();
  }, [subject]);

  const attachments = useAttachments();
  const mayAttach = chat?.actions?.mayWrite === true && subject === undefined;
  const attach = (data: DataTransfer | null): boolean => {
    if (!mayAttach || data === null || data.files.length === 0) return false;
    attachments.add(data.files);
    return true;
  };
  const [offered, offer] = useState<readonly string[]>([]);
  const [chosen, choose] = useState(0);
  const offerFor = (before: string): void => {
    offer(namesFor(before, chat?.knownNames ?? []));
    choose(0);
  };
  const take = (name: string | undefined): void => {
    const { current } = field;
    if (current === null || name === undefined) return;
    const { selectionStart, value } = current;
    const before = withName(value.slice(0, selectionStart), name);
    current.value = before + value.slice(selectionStart);
    current.setSelectionRange(before.length, before.length);
    offer([]);
  };
  /** Whether a key was for the names that are offered. */
  const takesKey = ({ key, shiftKey, isComposing }: KeyboardEvent): boolean => {
    if (offered.length === 0 || isComposing || shiftKey) return false;
    if (key === "Escape") offer([]);
    else if (key === "Enter" || key === "Tab") take(offered[chosen]);
    else if (key === "ArrowDown" || key === "ArrowUp") {
      choose((chosen + (key === "ArrowDown" ? 1 : offered.length - 1)) % offered.length);
    } else return false;
    return true;
  };

  const send = (): void => {
    const { current } = field;
    if (current === null || chat === undefined) return;
    const text = current.value;
    if (text.trim() === "" && attachments.all.length === 0) return;
    const files = subject === undefined ? attachments.take() : [];
    if (files === undefined || (text.trim() === "" && files.length === 0)) return;
    current.value = "";
    offer([]);
    fit(current);
    chat.send(text, files);
  };
  return (
    <form
      id="composer"
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        attach(event.dataTransfer);
      }}
      onPaste={(event) => void (attach(event.clipboardData) && event.preventDefault())}
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      {subject !== undefined && <About actions={chat?.actions as MessageActions} />}
      <label class="unseen" for="text">
        Message
      </label>
      <AttachmentList {...attachments} />
      <MentionList names={offered} chosen={chosen} take={take} />
      <textarea
        id="text"
        name="text"
        ref={field}
        rows={1}
        enterkeyhint="send"
        aria-describedby="keys"
        aria-autocomplete="list"
        aria-controls="offered"
        aria-activedescendant={offered.length === 0 ? undefined : offeredId(chosen)}
        placeholder={channel === "" ? undefined : `Message ${channel}`}
        onInput={({ currentTarget }) => {
          fit(currentTarget);
          chat?.presence?.wrote(currentTarget.value);
          offerFor(currentTarget.value.slice(0, currentTarget.selectionStart));
        }}
        onBlur={() => offer([])}
        onKeyDown={(event) => {
          if (takesKey(event)) {
            event.preventDefault();
            return;
          }
          if (event.key === "Escape" && subject !== undefined) chat?.actions?.begin(undefined);
          if (event.key === "ArrowUp" && field.current?.value === "" && chat?.actions?.editLast() === true)
            event.preventDefault();
          // While letters are being composed, Enter takes the letters.
          if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
          event.preventDefault();
          send();
        }}
      />
      {mayAttach && <AttachButton add={attachments.add} />}
      <button class="send" disabled={chat === undefined}>
        Send
      </button>
      {chat?.wasMentioned === true && <NotifyMe>You were mentioned. Notify me of mentions and questions</NotifyMe>}
      <p class="as">
        <label for="nickname">Sending as</label>
        <Nickname chat={chat} />
        <span id="keys">Enter sends, Shift+Enter breaks the line</span>
      </p>
    </form>
  );
}

/** What the message will be about. */
function About({ actions }: { readonly actions: MessageActions }) {
  const { subject } = actions;
  if (subject === undefined) return null;
  const { kind, message } = subject;
  return (
    <p class="subject" role="status">
      <span>
        {kind === "edit" ? (
          "Editing your message"
        ) : (
          <>
            Replying to <bdi>{readable(message.sender) || "no name"}</bdi>: <bdi>{actions.excerptOf(message)}</bdi>
          </>
        )}
      </span>
      <button type="button" title="Escape does this, too" onClick={() => actions.begin(undefined)}>
        Cancel
      </button>
    </p>
  );
}

/** How the person is called: remembered, asked for beside the message and never before it. */
function Nickname({ chat }: { readonly chat: Chat | undefined }) {
  const field = useRef<HTMLInputElement>(null);
  const name = chat?.nickname;
  const isVerified = chat?.verifiedName !== undefined;
  useEffect(() => {
    if (field.current !== null && name !== undefined) field.current.value = name;
  }, [name]);
  return (
    <input
      id="nickname"
      ref={field}
      dir="auto"
      maxLength={64}
      readOnly={isVerified}
      title={isVerified ? "The name you logged in with" : undefined}
      placeholder="anyone"
      autocomplete="nickname"
      onChange={({ currentTarget }) => {
        if (chat === undefined) return;
        chat.nickname = currentTarget.value;
        currentTarget.value = chat.nickname;
      }}
    />
  );
}

/** As high as its text, within what the style allows. */
function fit(field: HTMLTextAreaElement): void {
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight + 2}px`;
}
