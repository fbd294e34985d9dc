import type { Host } from "./host.ts";

/** Has links and forms work in a frame that may open no windows and send no forms, and notes whether it is seen. */
export function mend(host: Host): void {
  watchSight();
  document.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target : undefined;
    const link = target?.closest<HTMLAnchorElement>("a[href]");
    if (link !== undefined && link !== null) {
      event.preventDefault();
      if (/^https?:$/.test(link.protocol)) host.openLink(link.href).catch(() => {});
      return;
    }
    const button = target?.closest<HTMLButtonElement>("button");
    const form = button?.form ?? null;
    if (form === null || button?.type !== "submit" || button.matches(":disabled")) return;
    // A sandbox without `allow-forms` stops a form before its handlers hear of it. Enter in a field clicks its button.
    event.preventDefault();
    if (form.reportValidity()) form.dispatchEvent(new SubmitEvent("submit", { bubbles: true, cancelable: true }));
  });
}

/** Whether someone can see the view now, and who waits for that. */
let isSeen = false;
let waiting: (() => void)[] = [];

/** Whether the view is in sight: if not, it need not be up to date, and each call that waits takes a place at the server. */
export function isInSight(): boolean {
  return isSeen && !document.hidden;
}

/** Resolves as soon as the view is in sight. */
export async function inSight(): Promise<void> {
  while (!isInSight()) await new Promise<void>((resolve) => waiting.push(resolve));
}

function look(): void {
  if (!isInSight()) return;
  const all = waiting;
  waiting = [];
  for (const resolve of all) resolve();
}

function watchSight(): void {
  new IntersectionObserver((entries) => {
    isSeen = entries.at(-1)?.isIntersecting ?? false;
    look();
  }).observe(document.documentElement);
  document.addEventListener("visibilitychange", look);
}
