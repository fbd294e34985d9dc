import { ReaderGroup, type LiveReader } from "./reader-group.ts";
import { covers, patternsOver, uncovered, type ChannelName, type ChannelPattern } from "../protocol/channel.ts";
import type { Format } from "./message.ts";
import { NameIndex } from "./name-index.ts";

/** Finds the groups of a channel, with one lookup for each pattern that could cover it. */
export class SubscriptionIndex {
  readonly #byFormat = new Map<Format, Map<string, ReaderGroup>>();
  /** The groups of each pattern; true if no other pattern of the group covers it, so a channel finds a group once. */
  readonly #byPattern = new NameIndex<Map<ReaderGroup, boolean>>();

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

  /** Removes a member, and the group if it was the last one. */
  remove(group: ReaderGroup, member: LiveReader): void {
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
      const known = counts.get(pattern);
      if (known !== undefined) return known;
      let readers = 0;
      for (const [group, leads] of this.#byPattern.get(pattern) ?? []) {
        if (leads) readers += all && !group.isSilent ? group.size : group.receivers;
      }
      counts.set(pattern, readers);
      return readers;
    };
    return (channel) => patternsOver(channel).reduce((sum, pattern) => sum + count(pattern), 0);
  }

  /** The channels that live readers ask for by name, if a pattern covers them and they come after `after`, in order. */
  *channels(pattern: ChannelPattern, after?: string): Iterable<ChannelName> {
    const isPrefix = pattern.endsWith("*");
    for (const [name, groups] of this.#byPattern.entries(isPrefix ? pattern.slice(0, -1) : pattern, after)) {
      const asked = name as ChannelPattern;
      if (!isPrefix && asked !== pattern) return;
      if (asked.endsWith("*") || !covers(pattern, asked)) continue;
      for (const { receivers } of groups.keys()) {
        if (receivers === 0) continue;
        yield asked as ChannelName;
        break;
      }
    }
  }
}

function keyOf(patterns: readonly ChannelPattern[], watches: boolean): string {
  return `${watches ? "watch:" : ""}${patterns.join(",")}`;
}
