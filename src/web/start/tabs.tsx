import type { ComponentChild } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Stored } from "../shared/stored.ts";

export interface Tab {
  readonly id: string;
  readonly name: string;
  readonly panel: ComponentChild;
}

/** Shows one panel at a time (ARIA Authoring Practices, "Tabs"), and remembers which. */
export function Tabs({ label, tabs }: { readonly label: string; readonly tabs: readonly Tab[] }) {
  const [first] = tabs;
  const [chosen, choose] = useState(first?.id);
  const list = useRef<HTMLDivElement>(null);
  const stored = new Stored(`tab.${first?.id ?? ""}`, (value) => tabs.find(({ id }) => id === value)?.id);
  useEffect(() => choose((now) => stored.get() ?? now), []);

  const take = (id: string): void => {
    choose(id);
    stored.set(id);
  };
  const onKeyDown = (event: KeyboardEvent, at: number): void => {
    const steps: Readonly<Record<string, number>> = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: -1 };
    const step = steps[event.key];
    const next = step === undefined ? undefined : tabs.at(step % tabs.length);
    if (next === undefined) return;
    event.preventDefault();
    take(next.id);
    list.current?.querySelector<HTMLElement>(`#${next.id}-tab`)?.focus();
  };
  return (
    <>
      <div class="tabs" role="tablist" aria-label={label} ref={list}>
        {tabs.map(({ id, name }, at) => (
          <button
            key={id}
            id={`${id}-tab`}
            type="button"
            role="tab"
            aria-controls={`${id}-panel`}
            aria-selected={id === chosen}
            tabIndex={id === chosen ? 0 : -1}
            onClick={() => take(id)}
            onKeyDown={(event) => onKeyDown(event, at)}
          >
            {name}
          </button>
        ))}
      </div>
      {tabs.map(({ id, panel }) => (
        <div
          key={id}
          id={`${id}-panel`}
          role="tabpanel"
          aria-labelledby={`${id}-tab`}
          tabIndex={0}
          hidden={id !== chosen}
        >
          {panel}
        </div>
      ))}
    </>
  );
}
