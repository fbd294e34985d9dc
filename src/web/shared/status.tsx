import { useEffect, useState } from "preact/hooks";
import type { Hub } from "../../client/index.ts";
import { watchConnection, type Connection } from "./connection.ts";

interface StatusProps {
  readonly hub: Hub | undefined;
  readonly live: string;
  /** How the sentences end that say that the network is gone, or the server. */
  readonly offline: string;
  readonly waiting: string;
}

/** How the connection of a page is. */
export function Status({ hub, ...ends }: StatusProps) {
  const [connection, set] = useState<Connection>({ kind: "idle" });
  useEffect(() => {
    if (hub === undefined) return undefined;
    return watchConnection(hub, (next) => {
      // Until an attempt to come back succeeds, the server is away.
      set((last) => (last.kind === "waiting" && next.kind === "connecting" ? last : next));
    });
  }, [hub]);
  const [kind, text] = said(connection, ends);
  return (
    <p id="state" role="status" data-state={kind}>
      {text}
    </p>
  );
}

function said(connection: Connection, { live, offline, waiting }: Omit<StatusProps, "hub">): readonly [string, string] {
  switch (connection.kind) {
    case "closed":
      return ["off", `${connection.error?.message ?? ""}; reload the page.`];
    case "offline":
      return ["off", `You are offline${offline}`];
    case "waiting":
      return ["off", `${connection.error.message}${waiting}`];
    case "live":
      return ["on", live];
    default:
      return ["", "Connecting …"];
  }
}
