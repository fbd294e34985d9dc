/**
 * Has arrows, Home and End move the focus among what a selector finds in a box: together these are one stop of the Tab
 * key. Which of them that is, `stopAt` says.
 */
export function rove(box: HTMLElement, selector: string): void {
  box.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const all = [...box.querySelectorAll<HTMLElement>(selector)];
    const at = all.indexOf(event.target as HTMLElement);
    if (at === -1) return;
    const place = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: all.length - 1 }[event.key];
    const next = place === undefined ? undefined : all[place];
    if (place === undefined) return;
    event.preventDefault();
    if (next === undefined) return;
    stopAt(all, next);
    next.focus();
  });
}

/** Makes one of them the stop of the Tab key; without it, the first. */
function stopAt(all: readonly HTMLElement[], one: HTMLElement | undefined): void {
  for (const [place, element] of all.entries())
    element.tabIndex = element === one || (one === undefined && place === 0) ? 0 : -1;
}
