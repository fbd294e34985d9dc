import { useEffect, useState } from "preact/hooks";
import type { OpenConnection } from "../../protocol/open-connection.ts";
import { askServer } from "../shared/ask-server.ts";
import { bytes, count, duration } from "../shared/format.ts";
import { readable } from "../shared/names.ts";
import { linkTo } from "./place.ts";
import { SortedTable, type Column } from "./sorted-table.tsx";

/** What is open at the node that this page is connected to. */
export interface ConnectionsListed {
  readonly connections: readonly OpenConnection[];
  /** All there are, whatever is listed. */
  readonly total: number;
}

interface ConnectionsProps {
  readonly title: string;
  /** Only the readers of this channel. */
  readonly channel?: string;
}

/** Entries that are asked for; the oldest come first. */
const LISTED = 500;
/** Rows of the table. */
const SHOWN = 50;
/** Milliseconds between two looks. */
const LIST_EVERY = 5000;
const SECOND = 1000;

/** What each door is called. */
export const DOORS: Readonly<Record<OpenConnection["door"], string>> = {
  sse: "SSE",
  websocket: "WebSocket",
  mcp: "MCP session",
  listen: "MCP listen",
  waiting: "Waiting call",
};

/** What a client is called: by its credential, or by what it says it is. */
export function nameOf({ subject, client }: OpenConnection): string {
  if (client === null) return readable(subject);
  return subject === "anyone" ? readable(client) : `${readable(subject)}, ${readable(client)}`;
}

/** How long it has been open, in seconds. */
export function ageOf({ since }: OpenConnection): number {
  return Math.max((Date.now() - Date.parse(since)) / SECOND, 0);
}

const COLUMNS: readonly Column<OpenConnection>[] = [
  {
    name: "Who",
    by: nameOf,
    cell: nameOf,
    title: nameOf,
  },
  { name: "Door", by: ({ door }) => DOORS[door], cell: ({ door }) => DOORS[door] },
  { name: "Address", by: ({ address }) => address, cell: ({ address }) => address, title: ({ address }) => address },
  {
    name: "Channels",
    by: ({ channels }) => channels.join(),
    cell: ({ channels }) => channels.join(", ") || "–",
    title: ({ channels }) => channels.join(", "),
  },
  { name: "Open for", by: ageOf, cell: (one) => duration(ageOf(one)) },
  {
    name: "Delivered",
    by: ({ deliveredBytes }) => deliveredBytes ?? NaN,
    cell: ({ deliveredBytes }) => bytes(deliveredBytes ?? NaN),
  },
  {
    name: "Pending",
    title: () => "Written, and not accepted by its socket yet",
    by: ({ pendingBytes }) => pendingBytes ?? NaN,
    cell: ({ pendingBytes }) => bytes(pendingBytes ?? NaN),
  },
];

/** Who is connected to this node, without those that only watch, as this page does. */
export function Connections({ title, channel }: ConnectionsProps) {
  const listed = useConnections(channel);
  const [words, filter] = useState("");
  const { connections = [], total = 0 } = listed ?? {};
  const counted = connections.filter(({ watches }) => !watches);
  const rows = counted.filter((one) => searched(one).includes(words));
  const watching = connections.length - counted.length;
  const notes = [
    words === "" ? count(counted.length) : `${count(rows.length)} of ${count(counted.length)}`,
    rows.length > SHOWN && `the first ${SHOWN}`,
    connections.length === LISTED && total > LISTED && `the oldest of ${count(total)}`,
    watching > 0 && `${count(watching)} not listed: ${watching === 1 ? "it only watches" : "they only watch"}`,
  ];
  return (
    <section class="panel connections" aria-labelledby="connections-title">
      <header>
        <h2 id="connections-title">{title}</h2>
        <p id="connections-count" class="count">
          {counted.length === 0 && watching === 0 ? "None" : notes.filter((note) => note !== false).join("; ")}
        </p>
        <input
          id="connections-text"
          type="search"
          placeholder="Containing"
          aria-label="Only connections containing"
          onInput={({ currentTarget }) => filter(currentTarget.value.trim().toLowerCase())}
        />
      </header>
      {counted.length > 0 && (
        <SortedTable
          id="connection-rows"
          label={title}
          columns={COLUMNS}
          rows={rows}
          keyOf={({ id }) => id}
          href={({ id }) => linkTo("connection", id)}
          first="Pending"
          most={SHOWN}
        />
      )}
    </section>
  );
}

/** What is open, looked at every few seconds while the page is; undefined before the first answer. */
function useConnections(channel: string | undefined): ConnectionsListed | undefined {
  const [listed, setListed] = useState<ConnectionsListed>();
  useEffect(() => {
    const end = new AbortController();
    const { signal } = end;
    const of = channel === undefined ? "" : `&channel=${encodeURIComponent(channel)}`;
    const look = async (): Promise<void> => {
      if (document.hidden) return;
      const page = await askServer(`connections?limit=${LISTED}${of}`, { signal, cache: "no-store" }).catch(() => {});
      if (page !== undefined && !signal.aborted) setListed(page as ConnectionsListed);
    };
    void look();
    const timer = setInterval(() => void look(), LIST_EVERY);
    document.addEventListener("visibilitychange", () => void look(), { signal });
    return () => {
      end.abort();
      clearInterval(timer);
    };
  }, [channel]);
  return listed;
}

function searched(one: OpenConnection): string {
  return `${nameOf(one)} ${DOORS[one.door]} ${one.address} ${one.channels.join(" ")}`.toLowerCase();
}
