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

/** Has each button copy the text of the element its `data-copy` names. */
export function copyButtons(): void {
  for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-copy]")) {
    button.addEventListener("click", () => void copy(button));
  }
}

async function copy(button: HTMLButtonElement): Promise<void> {
  const line = element(button.dataset["copy"] ?? "", HTMLElement);
  try {
    await navigator.clipboard.writeText(line.textContent);
    button.textContent = "Copied";
  } catch {
    // Without the right to write, the line is selected to be copied by hand.
    getSelection()?.selectAllChildren(line);
    button.textContent = "Selected";
  }
  setTimeout(() => (button.textContent = "Copy"), 1500);
}
