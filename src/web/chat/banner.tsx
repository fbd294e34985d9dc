import type { Chat } from "./chat.ts";

/** Says that the server is away. */
export function Banner({ away }: { readonly away: Chat["away"] }) {
  return (
    <p id="banner" role="status" hidden={away === undefined}>
      <span id="why">{away !== undefined && sentence(away)}</span>{" "}
      <button id="reload" type="button" hidden={away?.kind !== "closed"} onClick={() => location.reload()}>
        Reload
      </button>
    </p>
  );
}

function sentence(away: NonNullable<Chat["away"]>): string {
  if (away.kind === "offline") return "You are offline. What you send waits here until you are back.";
  if (away.kind === "waiting") {
    const { code, message } = away.error;
    const isRefusal = !["UNREACHABLE", "CONNECTION_LOST", "SILENT"].includes(code);
    return `${isRefusal ? message : "The server cannot be reached"}. What you send waits here until it is back.`;
  }
  const why = away.error === undefined ? "" : `: ${away.error.message.replace(/\.$/, "")}`;
  return `The server refuses this page${why}. Nothing comes or goes until it is loaded again; what you send waits here.`;
}
