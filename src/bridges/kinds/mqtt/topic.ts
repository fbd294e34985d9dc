/** Bytes of a topic, and of every other text in MQTT, at most. */
export const MAX_TEXT = 65_535;

/** What is wrong with a topic filter such as `plant/+/temp`; undefined if nothing is. */
export function filterProblem(text: string): string | undefined {
  if (text.startsWith("$share/") && sharedFilter(text) === undefined) {
    return "a shared topic is $share/GROUP/TOPIC, such as $share/hub/plant/#";
  }
  const filter = sharedFilter(text) ?? text;
  if (filter === "" || filter.includes("\0") || Buffer.byteLength(text) > MAX_TEXT) {
    return "a topic such as plant/+/temp is needed";
  }
  const levels = filter.split("/");
  const isWrong = levels.some(
    (level, index) => /[+#]/.test(level) && level !== "+" && !(level === "#" && index === levels.length - 1),
  );
  return isWrong ? "+ stands for a whole level and # for all last ones, such as plant/+/temp and plant/#" : undefined;
}

/** What is wrong with the name of a topic to publish to; undefined if nothing is. */
export function topicProblem(topic: string): string | undefined {
  if (/[+#\0]/.test(topic)) return `its topic has + or #, which only subscriptions may have: ${topic.slice(0, 100)}`;
  if (topic.startsWith("$")) return `topics that begin with $ are the broker's own: ${topic.slice(0, 100)}`;
  if (Buffer.byteLength(topic) > MAX_TEXT) return `its topic is longer than ${MAX_TEXT} bytes`;
  return undefined;
}

/** The filter in a shared one, `$share/GROUP/FILTER`; undefined if it is not one. */
export function sharedFilter(text: string): string | undefined {
  return /^\$share\/[^/+#]+\/(.+)$/s.exec(text)?.[1];
}

/** Whether messages of a topic match a filter. */
export function matches(filter: string, topic: string): boolean {
  const wanted = filter.split("/");
  const levels = topic.split("/");
  // Wildcards leave out topics such as $SYS.
  if (topic.startsWith("$") && /^[+#]/.test(filter)) return false;
  for (const [index, level] of wanted.entries()) {
    if (level === "#") return true;
    if (index >= levels.length || (level !== "+" && level !== levels[index])) return false;
  }
  return wanted.length === levels.length;
}

/** Levels of a topic that have names of their own: one may have 65,535, which would cost as many names a message. */
const MAX_LEVELS = 32;

/** What templates may use: the topic with dots for slashes, and its first levels. */
export function topicNames(topic: string): Record<string, string> {
  const levels = topic.split("/");
  const names: Record<string, string> = { topic: levels.join(".") };
  for (const [index, level] of levels.slice(0, MAX_LEVELS).entries()) names[`topic:${index}`] = level;
  return names;
}
