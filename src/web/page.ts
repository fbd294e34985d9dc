// What every page needs.

/** The element of this id and kind, which the page has. */
export function element<Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} #${id}`);
  return found;
}

/** Sets the text of an element, where it has another: so that nothing is laid out, or read out, for nothing. */
export function labelled(target: HTMLElement, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}

/** Has a button pause something and resume it, and say which of the two it does next. */
export function onPause(button: HTMLButtonElement, change: (paused: boolean) => void): void {
  let paused = false;
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? "Resume" : "Pause";
    button.classList.toggle("paused", paused);
    change(paused);
  });
}

/** Calls `come` while somebody sees the page, and `leave` while nobody does; now, too. */
export function whileVisible(come: () => void, leave: () => void): void {
  if (!document.hidden) come();
  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : come()));
}
