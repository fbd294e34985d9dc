import type { Host } from "./host.ts";

/** Has links and forms work in a frame that may open no windows and send no forms. */
export function mend(host: Host): void {
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
