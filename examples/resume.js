// A worker stops halfway and later continues where it stopped: no job is done twice, and none is left out.
// In a checkout, build the library once with `npm run build`.
// Start a hub with `npm start`, then: node examples/resume.js
import assert from "node:assert/strict";
import { connect } from "sse-mcp-server/client";

const url = process.env.HUB ?? "http://localhost:8000";
const channel = `jobs.${Date.now()}`;

/** Does jobs after a cursor until `count` are done; resolves with the cursor to continue from, which a real worker keeps on disk. */
async function work(after, count, done) {
  await using hub = connect(url);
  const jobs = hub.subscribe(channel, {
    after,
    onGap: ({ reason, after: from, resumed }) => console.log(`Missing (${reason}): ${from} to ${resumed}`),
  });
  for await (const { data } of jobs) {
    done.push(data);
    if (done.length === count) return jobs.cursor;
  }
}

{
  await using hub = connect(url);
  for (let job = 1; job <= 10; job++) await hub.publish(channel, job);
}
const done = [];
const cursor = await work("earliest", 4, done);
console.log(`Stopped after ${cursor}, with ${done.join(", ")} done`);
await work(cursor, 10, done);
console.log(`Done: ${done.join(", ")}`);
assert.deepEqual(done, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
