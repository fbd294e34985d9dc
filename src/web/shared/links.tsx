import { createContext, type ComponentChildren, type Context } from "preact";
import { useContext } from "preact/hooks";
import { mentionPieces } from "./mentions.ts";
import { isPlainAddress, piecesOf } from "./text.ts";

/** What the person is called; empty if no one is known by a name. */
export const MyName: Context<string> = createContext("");

/** A text with its addresses as links, and the names that it calls set apart. */
export function WithLinks({ text }: { readonly text: string }) {
  return (
    <>
      {piecesOf(text).map(({ text: piece, href }, index) =>
        href === undefined ? (
          <WithMentions key={index} text={piece} />
        ) : (
          <Link key={index} href={href}>
            {piece}
          </Link>
        ),
      )}
    </>
  );
}

function WithMentions({ text }: { readonly text: string }) {
  const me = useContext(MyName);
  return (
    <>
      {mentionPieces(text, me).map(({ text: piece, name }, index) =>
        name === undefined ? (
          piece
        ) : (
          <bdi key={index} class={name.toLowerCase() === me.toLowerCase() ? "mention me" : "mention"}>
            {piece}
          </bdi>
        ),
      )}
    </>
  );
}

/** Words that lead to an address: says which host that is. If it may not be the one it seems to be, it is no link. */
export function NamedLink({ href, children }: { readonly href: string; readonly children: ComponentChildren }) {
  if (!isPlainAddress(href)) {
    return (
      <>
        <bdi>{children}</bdi> ({href})
      </>
    );
  }
  return (
    <>
      <Link href={href}>
        <bdi>{children}</bdi>
      </Link>{" "}
      <span class="host">({new URL(href).host})</span>
    </>
  );
}

function Link({ href, children }: { readonly href: string; readonly children: ComponentChildren }) {
  return (
    <a href={href} rel="noopener noreferrer nofollow" target="_blank">
      {children}
    </a>
  );
}
