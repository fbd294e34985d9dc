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
