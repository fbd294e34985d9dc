import { isObject } from "../../protocol/json.ts";

/** A JSON pointer (RFC 6901) as a list of its names. */
export type Pointer = readonly string[];

const POINTER = /^(?:\/(?:[^~/]|~[01])*)+$/;
/** Names in one pointer. */
const MAX_NAMES = 32;

/** What is wrong with a text as a pointer, as the end of a sentence; undefined if nothing is. */
export function pointerFault(text: string): string | undefined {
  if (!POINTER.test(text))
    return "use a JSON pointer such as /repository/full_name, with ~1 for / and ~0 for ~ in a name";
  return text.split("/").length - 1 > MAX_NAMES ? `use at most ${MAX_NAMES} names` : undefined;
}

/** Reads a pointer that `pointerFault` finds nothing wrong with. */
export function pointer(text: string): Pointer {
  return text
    .slice(1)
    .split("/")
    .map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** What a pointer names in a JSON value; undefined if there is nothing. */
export function valueAt(value: unknown, path: Pointer): unknown {
  let found = value;
  for (const name of path) {
    if (Array.isArray(found)) found = /^(?:0|[1-9]\d*)$/.test(name) ? found[Number(name)] : undefined;
    else if (isObject(found) && Object.hasOwn(found, name)) found = found[name];
    else return undefined;
  }
  return found;
}

/** A copy of a value with only the members that these pointers name, at the same paths; missing ones are left out. */
export function picked(value: unknown, paths: readonly Pointer[]): unknown {
  const tree: Tree = new Map();
  for (const path of paths) if (valueAt(value, path) !== undefined) insert(tree, path);
  return copied(value, tree);
}

/** The names that are picked below each name; undefined for a whole value. */
type Tree = Map<string, Tree | undefined>;

function insert(tree: Tree, [name = "", ...rest]: Pointer): void {
  const below = tree.get(name);
  // The whole value is picked already.
  if (tree.has(name) && below === undefined) return;
  if (rest.length === 0) tree.set(name, undefined);
  else if (below !== undefined) insert(below, rest);
  else {
    const branch: Tree = new Map();
    tree.set(name, branch);
    insert(branch, rest);
  }
}

function copied(value: unknown, tree: Tree): unknown {
  const items = [...tree].map(([name, below]): [string, unknown] => {
    const inner = valueAt(value, [name]);
    return [name, below === undefined ? inner : copied(inner, below)];
  });
  if (Array.isArray(value)) return items.map(([, item]) => item);
  // Not by assignment: a body may have the name __proto__.
  return Object.fromEntries(items);
}
