/** What is typed in a terminal: lines after `$`, each with those that its quotes and backslashes go on to. */
export function commandsIn(text: string): string {
  const commands: string[] = [];
  for (const line of text.split("\n")) {
    const last = commands.at(-1);
    const isOpen = last !== undefined && (last.endsWith("\\") || last.split("'").length % 2 === 0);
    if (isOpen) commands.push(`${commands.pop() ?? ""}\n${line}`);
    else if (line.startsWith("$ ")) commands.push(line.slice(2));
  }
  return commands.join("\n");
}
