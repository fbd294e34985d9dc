/** A text as HTML, in which `{{` stands for nothing that is filled in later. */
export function escaped(text: string): string {
  return text.replace(/[&<>"'{}]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** A sentence whose `code` is between backticks. */
export function sentence(text: string): string {
  return escaped(text).replace(/`([^`]+)`/g, "<code>$1</code>");
}
