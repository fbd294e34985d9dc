import { EVERYTHING } from "../protocol/channel.ts";
import type { McpRequestContext } from "./request-context.ts";
import type { Catalog } from "./definitions.ts";
import { readableChannels } from "../tools/index.ts";
import { canonicalUri } from "./resources.ts";
import { invalidParams, isObject, shown, type JsonObject } from "./errors.ts";

/** Values in one answer at most (2026-07-28, "Completion"). */
const MAX_VALUES = 100;
/** Channels that are searched at most. */
const MAX_SEARCHED = 1000;
const MAX_VALUE = 1024;

/**
 * `completion/complete`: channel names, for each argument that is a channel. Those that begin with the typed text come
 * first, then those that contain it.
 */
export function completions({ ref, argument }: JsonObject, call: McpRequestContext, catalog: Catalog): JsonObject {
  if (!isObject(argument) || typeof argument["name"] !== "string" || typeof argument["value"] !== "string") {
    throw invalidParams('argument must be an object such as {"name": "channel", "value": "ord"}');
  }
  const { name, value } = argument;
  if (value.length > MAX_VALUE) throw invalidParams(`argument.value is longer than ${MAX_VALUE} characters`);
  if (!knownArguments(ref, catalog).includes(name)) {
    throw invalidParams(`argument.name is ${shown(name)}, which ref does not have`);
  }
  if (name !== "channel") return { completion: { values: [], total: 0, hasMore: false } };
  const typed = value.toLowerCase();
  const looked = readableChannels(call, { pattern: EVERYTHING, limit: MAX_SEARCHED });
  // If not all channels were searched, the number of matches is unknown.
  const isAll = looked.length < MAX_SEARCHED;
  const names = [...new Set([...looked, ...(isAll ? [] : beginning(value, call))].map(({ channel }) => channel))];
  const first = names.filter((channel) => channel.toLowerCase().startsWith(typed));
  const then = names.filter((channel) => channel.toLowerCase().indexOf(typed) > 0);
  const values = [...first, ...then];
  return {
    completion: {
      values: values.slice(0, MAX_VALUES),
      ...(isAll ? { total: values.length } : {}),
      hasMore: values.length > MAX_VALUES || !isAll,
    },
  };
}

/** Channels that begin with the typed text as it is, in lower case, in upper case or capitalized. */
function beginning(typed: string, call: McpRequestContext): ReturnType<typeof readableChannels> {
  const lower = typed.toLowerCase();
  const ways = new Set([typed, lower, typed.toUpperCase(), lower.slice(0, 1).toUpperCase() + lower.slice(1)]);
  return [...ways].flatMap((way) => {
    const last = way.charCodeAt(way.length - 1);
    // Names are in byte order, and ~ comes after every character that a name may have.
    const after = `${way.slice(0, -1)}${String.fromCharCode(last - 1)}~`;
    const found = readableChannels(call, { pattern: EVERYTHING, limit: MAX_VALUES + 1, after });
    return found.filter(({ channel }) => channel.startsWith(way));
  });
}

/** The names of the arguments of a prompt or a template. Throws if it does not exist. */
function knownArguments(ref: unknown, { prompts, templates }: Catalog): readonly string[] {
  if (isObject(ref) && ref["type"] === "ref/prompt") {
    const prompt = prompts.find(({ listing }) => listing.name === ref["name"]);
    if (prompt !== undefined) return prompt.listing.arguments?.map(({ name }) => name) ?? [];
    throw invalidParams("ref.name is not a prompt; prompts/list lists them");
  }
  if (isObject(ref) && ref["type"] === "ref/resource") {
    const uri = String(ref["uri"]);
    const template = templates.find(
      ({ listing }) => listing.uriTemplate === uri || listing.uriTemplate === canonicalUri(uri),
    );
    if (template !== undefined)
      return [...template.listing.uriTemplate.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as string);
    throw invalidParams("ref.uri is not a resource template; resources/templates/list lists them");
  }
  throw invalidParams('ref must be {"type": "ref/prompt", "name"} or {"type": "ref/resource", "uri"}');
}
