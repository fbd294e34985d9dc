import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface PlaceHeadProps {
  readonly title: string;
  /** What it is that has this name. */
  readonly kind: string;
  readonly children?: ComponentChildren;
}

/** What stands above one channel or connection, and the way back. It takes the focus: what was focused is gone. */
export function PlaceHead({ title, kind, children }: PlaceHeadProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    heading.current?.focus();
    scrollTo(0, 0);
  }, []);
  useEffect(() => {
    const { title: before } = document;
    document.title = `${title} · Dashboard`;
    return () => void (document.title = before);
  }, [title]);
  return (
    <header class="overview place">
      <div>
        <p>
          <a href="#">Dashboard</a> › {kind}
        </p>
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {children}
      </div>
    </header>
  );
}

/** Names and values beside each other, as many as there is room for. */
export function FactList({ facts }: { readonly facts: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
