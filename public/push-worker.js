// Shows questions to someone who has no page of the hub open, and opens the chat when they are touched.
self.addEventListener("push", (event) => {
  const { id, title, body, url } = event.data.json();
  const icon = new URL("assets/icon-asked.svg", self.registration.scope).href;
  event.waitUntil(self.registration.showNotification(title, { body, tag: id, icon, data: { url } }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { scope } = self.registration;
  const url = new URL(event.notification.data.url, scope);
  // Nothing but a page of this hub.
  if (url.href.startsWith(scope)) event.waitUntil(show(url, new URL("chat", scope).href));
});

/** Goes to the chat where it is open, or opens it. */
async function show(url, chat) {
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const page = pages.find((each) => each.url.split("#")[0] === chat);
  if (page === undefined) return self.clients.openWindow(url.href);
  page.postMessage({ channel: decodeURIComponent(url.hash.slice(1)) });
  return page.focus();
}
