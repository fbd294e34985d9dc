const STEPS: Readonly<Record<string, (at: number, last: number) => number>> = {
  ArrowUp: (at) => at - 1,
  ArrowDown: (at) => at + 1,
  Home: () => 0,
  End: (_, last) => last,
};

/** Moves the focus by arrows, Home and End among what a selector finds in a box: together these are one Tab stop. */
export function rove(event: KeyboardEvent, selector: string): void {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const all = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>(selector)];
  const at = all.indexOf(event.target as HTMLElement);
  const step = STEPS[event.key];
  if (at === -1 || step === undefined) return;
  event.preventDefault();
  all[step(at, all.length - 1)]?.focus();
}
