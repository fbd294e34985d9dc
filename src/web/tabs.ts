/** Has each `role="tablist"` show one panel at a time (ARIA Authoring Practices, "Tabs"). */
export function tabs(): void {
  for (const list of document.querySelectorAll<HTMLElement>("[role=tablist]")) {
    const all = [...list.querySelectorAll<HTMLElement>("[role=tab]")];
    const name = `tab.${all[0]?.id ?? ""}`;
    const choose = (tab: HTMLElement): void => {
      select(all, tab);
      remember(name, tab.id);
    };
    const known = all.find(({ id }) => id === remembered(name));
    if (known !== undefined) select(all, known);
    for (const tab of all) {
      tab.addEventListener("click", () => choose(tab));
      tab.addEventListener("keydown", (event) => {
        const at = all.indexOf(tab);
        const steps: Readonly<Record<string, number>> = {
          ArrowLeft: at - 1,
          ArrowRight: at + 1,
          Home: 0,
          End: all.length - 1,
        };
        const next = steps[event.key];
        const chosen = next === undefined ? undefined : all.at(next % all.length);
        if (chosen === undefined) return;
        event.preventDefault();
        choose(chosen);
        chosen.focus();
      });
    }
  }
}

function remembered(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function remember(name: string, tab: string): void {
  try {
    localStorage.setItem(name, tab);
  } catch {
    // A browser that lets nothing be kept shows the first one again.
  }
}

function select(all: readonly HTMLElement[], chosen: HTMLElement): void {
  for (const tab of all) {
    tab.setAttribute("aria-selected", String(tab === chosen));
    tab.tabIndex = tab === chosen ? 0 : -1;
    const panel = document.getElementById(tab.getAttribute("aria-controls") ?? "");
    if (panel !== null) panel.hidden = tab !== chosen;
  }
}
