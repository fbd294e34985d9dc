import { useRef, useState } from "preact/hooks";
import { copy, SAID_FOR } from "./copy.ts";

/** Lines, with a button that copies them. */
export function Line({ id, children }: { readonly id: string; readonly children: string }) {
  const line = useRef<HTMLElement>(null);
  const [said, say] = useState("Copy");
  const copyLine = async (): Promise<void> => {
    say(await copy(children, line.current));
    setTimeout(() => say("Copy"), SAID_FOR);
  };
  return (
    <pre>
      <button type="button" data-copy={id} onClick={() => void copyLine()}>
        {said}
      </button>
      <code id={id} ref={line}>
        {children}
      </code>
    </pre>
  );
}
