import { useEffect, useState } from "preact/hooks";
import type { Chat } from "./chat.ts";
import { channelsOf, type Listed } from "./history.ts";

const LISTED = 200;
/** Milliseconds between looks for channels of others. */
const REFRESH_INTERVAL = 30_000;

/** The channels that the server lists, looked up now and then. */
export function useListed(chat: Chat | undefined): readonly Listed[] {
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
