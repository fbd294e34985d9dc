import { ReaderGroup, type LiveReader } from "./reader-group.ts";
import { covers, patternsOver, uncovered, type ChannelName, type ChannelPattern } from "../protocol/channel.ts";
import type { Format } from "./message.ts";
import { NameIndex } from "./name-index.ts";

/** Finds the groups of a channel, with one lookup for each pattern that could cover it. */
export class SubscriptionIndex {
  readonly #byFormat = new Map<Format, Map<string, ReaderGroup>>();
  /** The groups of each pattern; true if no other pattern of the group covers it, so a channel finds a group once. */
  readonly #byPattern = new NameIndex<Map<ReaderGroup, boolean>>();
  /** Patterns whose `count` may have changed; whoever wants to know provides the set, and empties it. */
  changed: Set<ChannelPattern> | undefined;

  /** The group of these channels in this format, made if it is missing; `watches`: of readers that do not count. */
  group(patterns: Iterable<ChannelPattern>, format: Format, watches = false): ReaderGroup {
    const sorted = [...patterns].sort();
    const key = keyOf(sorted, watches);
    let byKey = this.#byFormat.get(format);
    if (byKey === undefined) this.#byFormat.set(format, (byKey = new Map()));
    let group = byKey.get(key);
    if (group === undefined) {
      group = new ReaderGroup(sorted, format, watches);
      byKey.set(key, group);
      const leading = new Set(uncovered(sorted));
      for (const pattern of sorted) {
        const groups = this.#byPattern.get(pattern);
        if (groups === undefined) this.#byPattern.set(pattern, new Map([[group, leading.has(pattern)]]));
        else groups.set(group, leading.has(pattern));
      }
    }
    return group;
  }

  add(group: ReaderGroup, member: LiveReader): void {
    group.add(member);
    this.#noteChange(group);
  }

  /** Removes a member, and the group if it was the last one. */
  remove(group: ReaderGroup, member: LiveReader): void {
    this.#noteChange(group);
    group.remove(member);
    if (group.size > 0) return;
    this.#byFormat.get(member.sink.format)?.delete(keyOf(group.patterns, group.watches));
    for (const pattern of group.patterns) {
      const groups = this.#byPattern.get(pattern);
      groups?.delete(group);
      if (groups?.size === 0) this.#byPattern.delete(pattern);
    }
  }

  /** Calls back for each group of a channel. */
  each(channel: ChannelName, call: (group: ReaderGroup) => void): void {
    for (const pattern of patternsOver(channel)) {
      const groups = this.#byPattern.get(pattern);
      if (groups !== undefined) for (const [group, leads] of groups) if (leads) call(group);
    }
  }

  /** Live readers of a channel, without silent ones and, unless `all`, without those that do not count as readers. */
  readers(channel: ChannelName, all = false): number {
    return this.counted(all)(channel);
  }

  /** Counts live readers of many channels, looking each pattern up only once. */
  counted(all = false): (channel: ChannelName) => number {
    const counts = new Map<ChannelPattern, number>();
    const count = (pattern: ChannelPattern): number => {
      let readers = counts.get(pattern);
      if (readers === undefined) counts.set(pattern, (readers = this.count(pattern, all)));
      return readers;
    };
    return (channel) => patternsOver(channel).reduce((sum, pattern) => sum + count(pattern), 0);
  }

  /** Live readers that ask for a pattern, and for none that covers it. */
  count(pattern: ChannelPattern, all = false): number {
    let readers = 0;
    for (const [group, leads] of this.#byPattern.get(pattern) ?? []) {
      if (leads) readers += all && !group.isSilent ? group.size : group.receivers;
    }
    return readers;
  }

  /** The patterns of live readers, in order. */
  patterns(): ChannelPattern[] {
    return Array.from(this.#byPattern.entries(""), ([name]) => name as ChannelPattern);
  }

  /** The channels that live readers ask for by name, if a pattern covers them and they come after `after`, in order. */
  *channels(pattern: ChannelPattern, after?: string): Iterable<ChannelName> {
    for (const [channel, groups] of channelsIn(this.#byPattern, pattern, after)) {
      for (const { receivers } of groups.keys()) {
        if (receivers === 0) continue;
        yield channel;
        break;
      }
    }
  }

  #noteChange(group: ReaderGroup): void {
    if (this.changed === undefined || group.isSilent || group.watches) return;
    for (const pattern of group.patterns) if (this.#byPattern.get(pattern)?.get(group)) this.changed.add(pattern);
  }
}

/** The channels among patterns, if `pattern` covers them and they come after `after`, in order. */
export function* channelsIn<Value>(
  patterns: NameIndex<Value>,
  pattern: ChannelPattern,
  after?: string,
): Iterable<readonly [ChannelName, Value]> {
  const isPrefix = pattern.endsWith("*");
  for (const [name, value] of patterns.entries(isPrefix ? pattern.slice(0, -1) : pattern, after)) {
    const asked = name as ChannelPattern;
    if (!isPrefix && asked !== pattern) return;
    if (!asked.endsWith("*") && covers(pattern, asked)) yield [asked as ChannelName, value];
  }
}

function keyOf(patterns: readonly ChannelPattern[], watches: boolean): string {
  return `${watches ? "watch:" : ""}${patterns.join(",")}`;
}
