/** Milliseconds for which a button says what it did. */
export const SAID_FOR = 1500;

/**
 * Copies a text; without the right to, selects the element that shows it, to be copied by hand. Resolves with what was
 * done, for a button to say.
 */
export async function copy(text: string, shownBy: Element | null): Promise<"Copied" | "Selected"> {
  try {
    await navigator.clipboard.writeText(text);
    return "Copied";
  } catch {
    if (shownBy !== null) getSelection()?.selectAllChildren(shownBy);
    return "Selected";
  }
}
