import { clock, fullTime } from "../shared/times.ts";
import type { Row } from "./conversation.ts";
import type { MessageActions } from "./message-actions.ts";
import { Name } from "./message-row.tsx";

/** Characters of a changed text of which there is no more to see here. */
const MAX_TEXT = 200;

interface PointerProps {
  readonly row: Row & { readonly kind: "pointer" };
  readonly actions: MessageActions;
}

/** A line that says that something was said about a message further up, and leads there. */
export function Pointer({ row: { message, relation, root }, actions }: PointerProps) {
  const did = { reply: "replied to", edit: "edited", delete: "deleted", reaction: "reacted to" }[relation.kind];
  const time = new Date(message.time);
  return (
    <li class="pointer">
      <Name sender={message.sender} /> <span>{root === undefined ? `${did} an earlier message` : did}</span>{" "}
      {root !== undefined && (
        <button type="button" onClick={() => actions.goTo(root.id as string)}>
          <bdi>{actions.excerptOf(root) || "a message"}</bdi>
        </button>
      )}
      {relation.kind === "edit" && <bdi class="says">{relation.text.slice(0, MAX_TEXT)}</bdi>}
      <time title={fullTime(time)}>{clock(time)}</time>
    </li>
  );
}

/** A line that says what the channel is called from then on. */
export function Titled({ row: { message, title } }: { readonly row: Row & { readonly kind: "title" } }) {
  const time = new Date(message.time);
  return (
    <li class="pointer">
      <Name sender={message.sender} /> <span>{title.title === "" ? "took the title away" : "calls this channel"}</span>{" "}
      <bdi class="says">{title.topic === "" ? title.title : `${title.title}: ${title.topic}`}</bdi>{" "}
      <time title={fullTime(time)}>{clock(time)}</time>
    </li>
  );
}
