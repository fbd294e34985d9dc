/** A value with its name, and the stretch that holds it. */
interface Place<Value> {
  readonly name: string;
  value: Value;
  last: number;
  dropped: number;
  stretch: Stretch<Value>;
}

/** A run of adjacent names, with the highest numbers among them. */
interface Stretch<Value> {
  places: Place<Value>[];
  last: number;
  dropped: number;
}

/** Names in one stretch at most. */
const MAX_STRETCH = 512;

/**
 * Values by name, in byte order, so that a prefix is a range. Names are kept in short sorted arrays, so that adding one
 * moves few others, and a stretch whose highest numbers are too low is skipped as a whole.
 */
export class NameIndex<Value> {
  readonly #byName = new Map<string, Place<Value>>();
  readonly #stretches: Stretch<Value>[] = [];

  get size(): number {
    return this.#byName.size;
  }

  get(name: string): Value | undefined {
    return this.#byName.get(name)?.value;
  }

  /** Stores a value under a name, with the offsets that `range` filters by and `dropped` looks for. */
  set(name: string, value: Value, last = 0, dropped = 0): void {
    const place = this.#byName.get(name) ?? this.#add(name, value);
    Object.assign(place, { value, last, dropped });
    raise(place.stretch, place);
  }

  delete(name: string): void {
    const place = this.#byName.get(name);
    if (place === undefined) return;
    this.#byName.delete(name);
    const { stretch } = place;
    stretch.places.splice(rank(stretch.places, nameOf, name), 1);
    if (stretch.places.length > 0) measure(stretch);
    else this.#stretches.splice(this.#stretches.indexOf(stretch), 1);
  }

  /** Values of names with a prefix that come after `after`, in order; with `above`, only if their `last` is greater. */
  *range(prefix: string, after?: string, above?: number): Iterable<Value> {
    for (const [, value] of this.entries(prefix, after, above)) yield value;
  }

  /** As `range`, with the names. */
  *entries(prefix: string, after: string = "", above: number = -Infinity): Iterable<readonly [string, Value]> {
    const from = after >= prefix ? `${after}\0` : prefix;
    for (const stretch of this.#from(from, prefix)) {
      if (stretch.last <= above) continue;
      for (let at = rank(stretch.places, nameOf, from); at < stretch.places.length; at++) {
        const { name, value, last } = stretch.places[at] as Place<Value>;
        if (!name.startsWith(prefix)) return;
        if (last > above) yield [name, value];
      }
    }
  }

  /** The highest `dropped` of the names that begin with a prefix. */
  dropped(prefix: string): number {
    let highest = 0;
    for (const stretch of this.#from(prefix, prefix)) {
      if (stretch.dropped <= highest) continue;
      const isInside = firstOf(stretch).startsWith(prefix) && stretch.places.at(-1)?.name.startsWith(prefix);
      const inside = isInside ? [stretch] : stretch.places.filter(({ name }) => name.startsWith(prefix));
      for (const { dropped } of inside) highest = Math.max(highest, dropped);
    }
    return highest;
  }

  /** The stretches that may hold names with this prefix, from a name on. */
  *#from(name: string, prefix: string): Iterable<Stretch<Value>> {
    const start = this.#stretchOf(name);
    for (let at = start; at < this.#stretches.length; at++) {
      const stretch = this.#stretches[at] as Stretch<Value>;
      if (at > start && !firstOf(stretch).startsWith(prefix)) return;
      yield stretch;
    }
  }

  #add(name: string, value: Value): Place<Value> {
    if (this.#stretches.length === 0) this.#stretches.push({ places: [], last: 0, dropped: 0 });
    const at = this.#stretchOf(name);
    const stretch = this.#stretches[at] as Stretch<Value>;
    const place: Place<Value> = { name, value, last: 0, dropped: 0, stretch };
    stretch.places.splice(rank(stretch.places, nameOf, name), 0, place);
    this.#byName.set(name, place);
    if (stretch.places.length > MAX_STRETCH) {
      const half: Stretch<Value> = { places: stretch.places.splice(MAX_STRETCH / 2), last: 0, dropped: 0 };
      for (const moved of half.places) moved.stretch = half;
      measure(stretch);
      measure(half);
      this.#stretches.splice(at + 1, 0, half);
    }
    return place;
  }

  /** The position of the stretch that holds a name, or would hold it. */
  #stretchOf(name: string): number {
    const at = rank(this.#stretches, firstOf, name);
    const isFirst = at < this.#stretches.length && firstOf(this.#stretches[at] as Stretch<Value>) === name;
    return isFirst ? at : Math.max(at - 1, 0);
  }
}

function nameOf({ name }: Place<unknown>): string {
  return name;
}

function firstOf({ places }: Stretch<unknown>): string {
  return places[0]?.name ?? "";
}

function measure<Value>(stretch: Stretch<Value>): void {
  stretch.last = 0;
  stretch.dropped = 0;
  for (const place of stretch.places) raise(stretch, place);
}

function raise<Value>(stretch: Stretch<Value>, { last, dropped }: Place<Value>): void {
  if (last > stretch.last) stretch.last = last;
  if (dropped > stretch.dropped) stretch.dropped = dropped;
}

/** The position of a name in a sorted list, or the one to insert it at. */
function rank<Item>(items: readonly Item[], name: (item: Item) => string, sought: string): number {
  let low = 0;
  for (let high = items.length; low < high;) {
    const middle = (low + high) >>> 1;
    if (name(items[middle] as Item) < sought) low = middle + 1;
    else high = middle;
  }
  return low;
}
