import type { TestContext } from "node:test";

/**
 * Whether a test can run: if the machine lacks something, it is skipped with the line that installs it; on CI, where
 * nothing may be lacking, it fails.
 */
export function needs(test: TestContext, what: string, isThere: boolean, install: string): boolean {
  if (isThere) return true;
  const sentence = `${what} is missing; install it with: ${install}`;
  if (process.env["CI"] === "true") throw new Error(sentence);
  test.skip(sentence);
  return false;
}
