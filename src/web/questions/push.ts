import { askServer } from "../shared/ask-server.ts";

/**
 * Has the server tell this browser of questions, also while no page is open; again, to renew that. Does nothing if the
 * server sends no Web Push, or the browser takes none.
 */
export async function subscribeToPush(): Promise<void> {
  if (!("serviceWorker" in navigator) || typeof PushManager === "undefined") return;
  try {
    const { publicKey } = (await askServer("push")) as { readonly publicKey: string | null };
    if (publicKey === null) return;
    const { pushManager } = await navigator.serviceWorker.register("push-worker.js");
    const options = { userVisibleOnly: true, applicationServerKey: publicKey };
    const known = await pushManager.getSubscription();
    const isOurs = known !== null && keyOf(known) === publicKey;
    // A hub that lost its key cannot send to those who subscribed with it.
    if (!isOurs) await known?.unsubscribe();
    const subscription = isOurs ? known : await pushManager.subscribe(options);
    await askServer("push", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(subscription),
    });
  } catch {
    // The page itself goes on to notify, while it is open.
  }
}

/** Goes to the channel of a notification that was touched. */
export function listenToPush(open: (channel: string) => void): void {
  if (!("serviceWorker" in navigator)) return;
  navigator.serviceWorker.addEventListener("message", ({ data }: MessageEvent<{ readonly channel?: unknown }>) => {
    if (typeof data.channel === "string") open(data.channel);
  });
}

/** The key that a subscription was made with, in base64url. */
function keyOf({ options: { applicationServerKey: key } }: PushSubscription): string {
  const bytes = Array.from(new Uint8Array(key ?? new ArrayBuffer(0)), (byte) => String.fromCharCode(byte));
  return btoa(bytes.join("")).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
