// How long `/docs` takes on a phone: `node bench/api-page.ts`. Chromium with the link and the processor slowed down by its
// own means, an empty cache, and the time until the page can be read, with all operations and the addresses in them, and
// from the press on "Open the console" until that shows them.
import { openWholeBrowser } from "../test/support/browser.ts";
import { startServer } from "../test/support/server.ts";

const ROUNDS = 5;
const DEADLINE = 120_000;
const LINK = { offline: false, latency: 40, downloadThroughput: 400_000, uploadThroughput: 400_000 };
const PHONE = { viewport: { width: 375, height: 812 }, isMobile: true, hasTouch: true };

const browser = await openWholeBrowser();
if (browser === undefined) throw new Error("there is no Chromium; apt-get install chromium");
await using server = await startServer();
for (const slowdown of [1, 4]) {
  const reading: number[] = [];
  const opening: number[] = [];
  let bytes = 0;
  let ofPage = 0;
  let busy = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const context = await browser.newContext(PHONE);
    const page = await context.newPage();
    const chromium = await context.newCDPSession(page);
    await chromium.send("Network.enable");
    await chromium.send("Performance.enable", { timeDomain: "threadTicks" });
    await chromium.send("Network.setCacheDisabled", { cacheDisabled: true });
    await chromium.send("Network.emulateNetworkConditions", LINK);
    await chromium.send("Emulation.setCPUThrottlingRate", { rate: slowdown });
    bytes = 0;
    chromium.on("Network.loadingFinished", ({ encodedDataLength }) => (bytes += encodedDataLength));
    const start = performance.now();
    await page.goto(`${server.url}/docs`, { waitUntil: "commit" });
    // The script shows it when it has done everything else.
    await page.locator("#open-all").waitFor({ timeout: DEADLINE });
    reading.push(performance.now() - start);
    const { metrics } = await chromium.send("Performance.getMetrics");
    busy = metrics.find(({ name }) => name === "TaskDuration")?.value ?? NaN;
    ofPage = bytes;
    const press = performance.now();
    await page.locator(".open-console").click();
    await page.locator(".opblock").first().waitFor({ timeout: DEADLINE });
    opening.push(performance.now() - press);
    await context.close();
  }
  const [read, open] = [reading, opening].map((taken) => {
    const sorted = taken.toSorted((one, other) => one - other);
    return ((sorted[Math.floor(ROUNDS / 2)] ?? NaN) / 1000).toFixed(2);
  });
  process.stdout.write(
    `processor ÷ ${slowdown}: the page after ${read} s (${Math.round(ofPage / 1000)} KB, ${busy.toFixed(2)} s of the processor), the console ${open} s after the press (${Math.round((bytes - ofPage) / 1000)} KB); medians of ${ROUNDS}\n`,
  );
}
await browser.close();
