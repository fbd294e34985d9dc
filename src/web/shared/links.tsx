import type { ComponentChildren } from "preact";
import { isPlainAddress, piecesOf } from "./text.ts";

/** A text with its addresses as links. */
export function WithLinks({ text }: { readonly text: string }) {
  return (
    <>
      {piecesOf(text).map(({ text: piece, href }, index) =>
        href === undefined ? (
          piece
        ) : (
          <Link key={index} href={href}>
            {piece}
          </Link>
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
