import { copy, SAID_FOR } from "../shared/copy.ts";
import { openConsole } from "./console.ts";

/** The hash of the console, and of an operation in it, as Swagger UI has it. */
const CONSOLE = "#/";

const read = element("read");
const tryOut = element("console");
const links = [...read.querySelectorAll<HTMLElement>("a")];
const operations = [...document.querySelectorAll<HTMLDetailsElement>("details.operation")];
/** What led into the console: it has the focus again when someone comes back. */
let cameFrom: HTMLElement | undefined;

/** Shows what the address names: the console, an operation, or all of them. */
function show(): void {
  const { hash } = location;
  const isConsole = hash.startsWith(CONSOLE);
  if (isConsole && !read.hidden) cameFrom = links.find((link) => link.getAttribute("href") === hash);
  const isBack = !isConsole && read.hidden;
  read.hidden = isConsole;
  tryOut.hidden = !isConsole;
  if (isConsole) {
    tryOut.focus();
    openConsole(element("swagger"), element("console-state"));
    return;
  }
  const named = operations.find(({ id }) => `#${id}` === hash);
  if (named !== undefined) named.open = true;
  if (isBack && cameFrom !== undefined) cameFrom.focus();
  else named?.scrollIntoView();
}

/** An address is where the page came from: a proxy may have put the server under a path. */
function nameOrigin(): void {
  const origin = new URL(".", location.href).href.replace(/\/$/, "");
  for (const place of document.querySelectorAll(".origin")) place.textContent = origin;
  for (const place of document.querySelectorAll(".socket")) place.textContent = origin.replace(/^http/, "ws");
}

function addCopyButtons(): void {
  for (const button of document.querySelectorAll<HTMLButtonElement>("pre > button")) {
    const code = button.nextElementSibling;
    const copyCode = async (): Promise<void> => {
      button.textContent = await copy(code?.textContent ?? "", code);
      setTimeout(() => (button.textContent = "Copy"), SAID_FOR);
    };
    button.addEventListener("click", () => void copyCode());
    button.hidden = false;
  }
}

/** Has the address name the operation that was opened last, to be passed on. */
function nameOpened(): void {
  for (const { id, firstElementChild: summary } of operations)
    summary?.addEventListener("click", () => history.replaceState(null, "", `#${id}`));
}

/** A button that opens all operations, to look something up in, and closes them again. */
function addOpenAll(): void {
  const button = element("open-all");
  button.addEventListener("click", () => {
    const isOpen = operations.every(({ open }) => open);
    for (const operation of operations) operation.open = !isOpen;
  });
  const name = (): string => (button.textContent = operations.every(({ open }) => open) ? "Close all" : "Open all");
  for (const operation of operations) operation.addEventListener("toggle", name);
  button.hidden = false;
}

function element(id: string): HTMLElement {
  return document.getElementById(id) as HTMLElement;
}

nameOrigin();
addCopyButtons();
addOpenAll();
nameOpened();
addEventListener("hashchange", show);
show();
