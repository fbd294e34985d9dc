import assert from "node:assert/strict";
import { describeInBrowser } from "../support/browser.ts";
import { KeyRing } from "../support/keys.ts";
import { startServer } from "../support/server.ts";

describeInBrowser("the API documentation", {}, (it) => {
  it("sends the key that someone authorizes with, and shows the refusal without one", async (browser) => {
    using keys = new KeyRing();
    const key = keys.add("ada", { subscribe: ["orders.*"], publish: ["orders.*"] });
    await using server = await startServer({ apiKeysFile: keys.path });
    for (const scheme of ["bearer", "apiKey"]) {
      const page = await (await browser.newContext()).newPage();
      await page.goto(`${server.url}/docs`);
      const operation = page.locator(".opblock", { hasText: "List channels" });
      await operation.locator(".opblock-summary-control").click();
      await operation.locator(".try-out__btn").click();
      await operation.locator(".execute").click();
      const status = operation.locator(".live-responses-table .response-col_status").last();
      await status.filter({ hasText: "401" }).waitFor();

      await page.locator(".scheme-container .authorize").click();
      const dialog = page.locator(".auth-container", { hasText: `${scheme} (` }).first();
      await dialog.locator("input").fill(key);
      await dialog.locator(".authorize").click();
      await page.locator(".btn-done").first().click();
      await operation.locator(".execute").click();
      await status.filter({ hasText: "200" }).waitFor();
      assert.match(await operation.locator(".live-responses-table").innerText(), /"channels": \[\]/);
      await page.context().close();
    }
  });
});
