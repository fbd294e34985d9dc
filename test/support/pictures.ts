// Makes the pictures of the pages anew: docs/*.png. `npm run pictures`; with a folder, for phones and in the dark, too.
import { join } from "node:path";
import { openWholeBrowser } from "./browser.ts";
import { takeChat } from "./chat-picture.ts";
import { takeQuestion } from "./question-picture.ts";
import { takeServer } from "./server-pictures.ts";

const DOCS = join(import.meta.dirname, "../../docs");

const [all] = process.argv.slice(2);
const browser = await openWholeBrowser();
if (browser === undefined) throw new Error("there is no Chromium; apt-get install chromium");
await takeServer(DOCS, all);
await takeChat(browser, DOCS, all);
await takeQuestion(browser, DOCS);
await browser.close();
