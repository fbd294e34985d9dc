/** A block of code on a page. */
export interface Block {
  readonly language: string;
  readonly text: string;
}

/** The blocks of a page, or of a part of one, in their order. */
export function blocksIn(page: string): readonly Block[] {
  return [...page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language = "", body = ""]) => ({
    language,
    text: body.trimEnd(),
  }));
}

/** What matches text that begins as shown on a page; … stands for anything. */
export function shownText(text: string): RegExp {
  const escaped = text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll("…", "[\\s\\S]*?");
  return new RegExp(`^${escaped}`);
}

/** A command that is typed, and what it prints. */
export interface Typed {
  readonly command: string;
  readonly prints: string;
}

/** The commands of a block, each after `$` and over as many lines as the shell reads. */
export function typedIn(text: string): readonly Typed[] {
  const typed: { command: string; prints: string[] }[] = [];
  for (const line of text.split("\n")) {
    const last = typed.at(-1);
    const isOpen = last !== undefined && (last.command.endsWith("\\") || last.command.split("'").length % 2 === 0);
    if (last !== undefined && isOpen) last.command += `\n${line}`;
    else if (line.startsWith("$ ")) typed.push({ command: line.slice(2), prints: [] });
    else if (last === undefined) throw new Error(`a console block begins with a command: ${line}`);
    else last.prints.push(line);
  }
  return typed.map(({ command, prints }) => ({ command, prints: prints.join("\n").trimEnd() }));
}
