import type { Browser, Locator, Page } from "playwright-core";
import { watchedPage } from "./browser.ts";

/** The chat as a person has it before them. */
export interface ChatPage extends AsyncDisposable {
  readonly page: Page;
  /** Everything that should not happen in it. */
  readonly complaints: readonly string[];
  /** The same, without what a browser says of a server that is away. */
  readonly realComplaints: readonly string[];
  /** Lines of messages that are kept. */
  readonly rows: Locator;
  /** Lines of messages on their way. */
  readonly outgoing: Locator;
  /** The line with this text. */
  row(text: string): Locator;
  say(text: string): Promise<void>;
}

export interface ChatPageOptions {
  /** Such as `#orders.eu`. */
  readonly at?: string;
  readonly name?: string;
  /** What is done to the page before it is opened. */
  readonly before?: (page: Page) => Promise<unknown>;
}

const AWAY = /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_INCOMPLETE|ERR_EMPTY_RESPONSE|ERR_FAILED|ERR_ABORTED/;

/** Opens the chat in a browser context of its own, in which nothing is stored yet. */
export async function openChat(browser: Browser, url: string, options: ChatPageOptions = {}): Promise<ChatPage> {
  const { page, complaints } = await watchedPage(browser, url);
  await options.before?.(page);
  await page.goto(`${url}/chat${options.at ?? ""}`);
  await page.locator("#note", { hasNotText: "Loading" }).waitFor({ state: "attached" });
  if (options.name !== undefined) {
    await page.fill("#nickname", options.name);
    await page.press("#nickname", "Tab");
  }
  return {
    page,
    complaints,
    get realComplaints() {
      return complaints.filter((text) => !AWAY.test(text));
    },
    rows: page.locator("#rows .row"),
    outgoing: page.locator("#outbox .row"),
    row: (text) => page.locator("#rows .row", { hasText: text }),
    async say(text) {
      await page.fill("#text", text);
      await page.press("#text", "Enter");
    },
    [Symbol.asyncDispose]: () => page.context().close(),
  };
}
