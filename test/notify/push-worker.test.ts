import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { needsBrowser, openWholeBrowser, watchedPage } from "../support/browser.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

describe("the worker that shows pushed questions", () => {
  it("shows each once, the newest of it", async (test) => {
    // The one without windows grants no notifications.
    await using browser = await openWholeBrowser();
    if (!needsBrowser(test, browser)) return;
    await using server = await startServer();
    const { page, complaints } = await watchedPage(browser, server.url);
    await page.context().grantPermissions(["notifications"], { origin: server.url });
    await page.goto(`${server.url}/chat`);
    const session = await page.context().newCDPSession(page);
    let registrationId: string | undefined;
    session.on("ServiceWorker.workerRegistrationUpdated", ({ registrations }) => {
      registrationId = registrations.find(({ scopeURL }) => scopeURL === `${server.url}/`)?.registrationId;
    });
    await session.send("ServiceWorker.enable");
    // As text: the types here are not those of a page.
    await page.evaluate('navigator.serviceWorker.register("push-worker.js").then(() => navigator.serviceWorker.ready)');
    await until("it is registered", () => registrationId !== undefined);
    // A push service is not at hand: the browser is given what one would have brought.
    for (const title of ["Deploy?", "Deploy now?"]) {
      const data = JSON.stringify({ id: "5f1c", title, body: "ci asks in ops", url: "chat#ops" });
      const push = { origin: server.url, registrationId: registrationId ?? "", data };
      await session.send("ServiceWorker.deliverPushMessage", push);
    }
    const shown = (): Promise<string> =>
      page.evaluate(`navigator.serviceWorker.ready
        .then((registration) => registration.getNotifications())
        .then((all) => all.map(({ title, body, tag }) => [title, body, tag].join(" ")).join())`);
    await until("it is shown", async () => (await shown()) === "Deploy now? ci asks in ops 5f1c");
    assert.deepEqual(complaints, []);
  });
});
