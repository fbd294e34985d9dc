import type { Socket } from "node:net";
import { covers, type ChannelName, type ChannelPattern } from "../protocol/channel.ts";
import type { OpenConnection } from "../protocol/open-connection.ts";

type OpenDoor = OpenConnection["door"];

/** Something open, as its door describes it. What may change is read when someone looks. */
export interface Opened {
  readonly door: OpenDoor;
  /** Who opened it, as their messages name them. */
  readonly subject: string;
  /** As `ClientAddresses` says. */
  readonly address: string;
  /** What the client calls itself: the name of an MCP client, or else the `User-Agent`. */
  readonly client: string | undefined;
  /** What it reads; empty if that is not known. */
  readonly channels: readonly ChannelPattern[];
  /** It receives messages but does not count as a reader. */
  readonly watches: boolean;
  /** The connection that carries it; undefined if that carries other answers as well. */
  readonly socket: Socket | undefined;
  /** Ends it as far as the server is concerned: its client may come back. */
  end(): void;
}

export interface ConnectionQuery {
  readonly door?: OpenDoor | undefined;
  /** Only those that read this channel, by its name or by a pattern. */
  readonly channel?: ChannelName | undefined;
  /** The id of a connection: only those opened after it. */
  readonly after?: string | undefined;
  readonly limit: number;
}

interface Entry {
  readonly opened: Opened;
  /** Milliseconds since 1970. */
  readonly since: number;
  /** Bytes that were written to its socket before. */
  readonly before: number;
}

/** Characters of a client's name that are kept. */
const MAX_CLIENT = 128;

/** What is open at this node, for admins to look at and end. */
export class OpenConnections {
  /** In the order in which they were opened. */
  readonly #byNumber = new Map<number, Entry>();
  readonly #node: string;
  /** How many of those only watch. */
  readonly #watching = new Map<OpenDoor, number>();
  #last = 0;

  /** `node` begins the ids, so that that of another node, or of an earlier process, names nothing here. */
  constructor(node: string) {
    this.#node = node;
  }

  get size(): number {
    return this.#byNumber.size;
  }

  /** Lists something as open until the function returned is called. */
  add(opened: Opened): () => void {
    const number = ++this.#last;
    this.#byNumber.set(number, { opened, since: Date.now(), before: opened.socket?.bytesWritten ?? 0 });
    const { door, watches } = opened;
    if (!watches) return () => void this.#byNumber.delete(number);
    this.#watching.set(door, this.watching(door) + 1);
    let isOver = false;
    return () => {
      if (!isOver) this.#watching.set(door, this.watching(door) - 1);
      isOver = true;
      this.#byNumber.delete(number);
    };
  }

  /** How many at a door only watch, as dashboards do. */
  watching(door: OpenDoor): number {
    return this.#watching.get(door) ?? 0;
  }

  /** A page in the order in which they were opened, and whether there are more. Undefined if `after` is no id of this node. */
  list({ door, channel, after, limit }: ConnectionQuery): readonly OpenConnection[] | undefined {
    const from = after === undefined ? 0 : this.#numberOf(after);
    if (from === undefined) return undefined;
    const found: OpenConnection[] = [];
    for (const [number, entry] of this.#byNumber) {
      if (found.length === limit) break;
      const { opened } = entry;
      if (number <= from || (door !== undefined && opened.door !== door)) continue;
      if (channel !== undefined && !opened.channels.some((pattern) => covers(pattern, channel))) continue;
      found.push(this.#told(number, entry));
    }
    return found;
  }

  find(id: string): OpenConnection | undefined {
    const number = this.#numberOf(id) ?? 0;
    const entry = this.#byNumber.get(number);
    return entry && this.#told(number, entry);
  }

  /** Ends one, and returns what it was; undefined if there is none of this id. */
  end(id: string): OpenConnection | undefined {
    const number = this.#numberOf(id) ?? 0;
    const entry = this.#byNumber.get(number);
    if (entry === undefined) return undefined;
    const told = this.#told(number, entry);
    // At once: who asks again need not be shown what is about to close.
    this.#byNumber.delete(number);
    entry.opened.end();
    return told;
  }

  #told(number: number, { opened, since, before }: Entry): OpenConnection {
    const { door, subject, address, client, channels, watches, socket } = opened;
    const pendingBytes = socket === undefined ? null : socket.destroyed ? 0 : socket.writableLength;
    return {
      id: `${this.#node}-${number.toString(36)}`,
      door,
      subject,
      address,
      client: client ?? null,
      channels,
      watches,
      since: new Date(since).toISOString(),
      deliveredBytes: socket === undefined ? null : Math.max(socket.bytesWritten - before - (pendingBytes ?? 0), 0),
      pendingBytes,
    };
  }

  #numberOf(id: string): number | undefined {
    const [node, number] = [id.slice(0, this.#node.length + 1), id.slice(this.#node.length + 1)];
    return node === `${this.#node}-` && /^[0-9a-z]{1,10}$/.test(number) ? Number.parseInt(number, 36) : undefined;
  }
}

/** What a client calls itself in the header of its request. */
export function clientName({ "user-agent": name }: { readonly "user-agent"?: string | undefined }): string | undefined {
  return name?.slice(0, MAX_CLIENT) || undefined;
}
