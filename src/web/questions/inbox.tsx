import { useEffect, useState } from "preact/hooks";
import { QuestionCard } from "./card.tsx";
import type { Desk } from "./desk.ts";
import { subscribeToPush } from "./push.ts";
import type { Questions } from "./questions.ts";

interface InboxProps {
  readonly questions: Questions | undefined;
  readonly desk: Desk | undefined;
}

/** The open questions of all channels, and how many they are. */
export function Inbox({ questions, desk }: InboxProps) {
  const { open = [], hasMore = false } = questions ?? {};
  return (
    <details id="inbox" hidden={open.length === 0}>
      <summary>
        <span role="status">
          {open.length === 1 ? "1 question waits" : `${open.length}${hasMore ? "+" : ""} questions wait`} for an answer
        </span>
      </summary>
      <NotifyMe>Notify me of questions</NotifyMe>
      <ul>
        {desk !== undefined &&
          open.map((question) => (
            <li key={question.id}>
              <QuestionCard question={question} whyNot={desk.whyNot(question)} desk={desk} isAlone />
            </li>
          ))}
      </ul>
      {hasMore && <p>There are more; these are the oldest.</p>}
    </details>
  );
}

/** Offers notifications, where there is something to be notified of. */
export function NotifyMe({ children }: { readonly children: string }) {
  const [permission, setPermission] = useState(() =>
    typeof Notification === "undefined" ? "denied" : Notification.permission,
  );
  useEffect(() => {
    if (permission === "granted") void subscribeToPush();
  }, [permission]);
  if (permission !== "default") return null;
  const ask = async (): Promise<void> => setPermission(await Notification.requestPermission());
  return (
    <button type="button" class="notify" onClick={() => void ask()}>
      {children}
    </button>
  );
}
