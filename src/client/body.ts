/** The text of an answer; undefined if it is longer than so many bytes. Rejects if it breaks off. */
export async function textOf(response: Response, most: number): Promise<string | undefined> {
  const reader = response.body?.getReader();
  // A `fetch` of the caller's may give no stream.
  if (reader === undefined) return response.text();
  const decoder = new TextDecoder();
  const parts: string[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return parts.join("") + decoder.decode();
    length += value.length;
    if (length > most) {
      void reader.cancel().catch(() => {});
      return undefined;
    }
    parts.push(decoder.decode(value, { stream: true }));
  }
}
