/** An element of a class with something in it; text is set as text. */
export function made<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  kind: string,
  ...inside: readonly (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const fresh = document.createElement(tag);
  if (kind !== "") fresh.className = kind;
  fresh.append(...inside);
  return fresh;
}
