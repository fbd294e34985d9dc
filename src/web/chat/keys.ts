export interface KeyActions {
  /** To where a message is written. */
  readonly write: () => void;
  /** To where a channel is found. */
  readonly find: () => void;
  /** To the next channel of the person, or the one before it. */
  readonly step: (by: 1 | -1) => void;
}

/** Has keys do what otherwise takes a pointer, wherever the focus is. */
export function onKeys({ write, find, step }: KeyActions): void {
  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.isComposing || event.defaultPrevented || event.shiftKey) return;
    const isCommand = event.ctrlKey || event.metaKey;
    if (isCommand && !event.altKey && key.toLowerCase() === "k") find();
    else if (event.altKey && !isCommand && (key === "ArrowUp" || key === "ArrowDown")) step(key === "ArrowUp" ? -1 : 1);
    else if (key === "/" && !isCommand && !event.altKey && !isWritten(target)) write();
    else return;
    event.preventDefault();
  });
}

/** Whether it takes the letters that are typed. */
function isWritten(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]");
}
