import assert from "node:assert/strict";
import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { EventReader } from "../../support/event-reader.ts";
import { request } from "../../support/request.ts";
import { until } from "../../support/until.ts";
import { attempt, Container, docker, HARDENED, IMAGE } from "../docker.ts";

const OPEN = ["--env", "API_KEYS_FILE=", "--env", "AUTH=none"];

/** Publishes a text and returns the status of the answer. */
async function publish(url: string, text: string, headers: Record<string, string> = {}): Promise<number> {
  const { status } = await request(`${url}/channels/default/messages`, {
    method: "POST",
    headers: { "content-type": "text/plain", ...headers },
    body: text,
  });
  return status;
}

/** What a container that does not start says, and its exit code. */
function refusal(options: readonly string[], words: readonly string[] = []): string {
  const { status, output } = attempt("run", "--rm", ...HARDENED, ...options, IMAGE, ...words);
  assert.equal(status, 1, output);
  assert.equal(output.trimEnd().split("\n").length, 1, output);
  return output.trimEnd();
}

describe("a container", () => {
  it("starts without any setting, lets no one in, says how to make a key, and takes that at once", async () => {
    using container = Container.start();
    await container.healthy();
    const url = await container.url();
    assert.equal(await publish(url, "Hello"), 401);
    assert.match(container.logs(), /no keys yet.*\n {2}sse-mcp-server key create --name me --admin\n/);
    const key = await container.exec("sse-mcp-server", "key", "create", "--name", "me", "--admin");
    const headers = { authorization: `Bearer ${key}` };
    await until("the key counts", async () => (await publish(url, "Hello", headers)) === 201);
    assert.ok(!container.logs().includes(key), "the key is in the log");
  });

  it("drains on docker stop: readers end in order, exit code 0, and what was published is there afterwards", async () => {
    using container = Container.start([...OPEN, "--env", "DRAIN=2", "--stop-timeout", "15"]);
    await container.healthy();
    const url = await container.url();
    using reader = await EventReader.open(`${url}/events`);
    assert.equal(await publish(url, "before"), 201);
    const { id } = await reader.next();
    const start = performance.now();
    await docker("stop", container.id);
    const took = performance.now() - start;
    await reader.ended;
    assert.equal(await container.inspect("{{.State.ExitCode}}"), "0");
    assert.ok(took < 4000, `it took ${took} ms`);
    assert.match(container.logs(), /SIGTERM: ending 1 reader/);
    await docker("start", container.id);
    await container.healthy();
    const again = await container.url();
    assert.equal(await publish(again, "after"), 201);
    using second = await EventReader.open(`${again}/events`, { lastEventId: id });
    assert.equal((await second.next()).data, "after");
    using all = await EventReader.open(`${again}/events?last_event_id=earliest`);
    assert.deepEqual([(await all.next()).data, (await all.next()).data], ["before", "after"]);
  });

  it("is killed if it is not given the time to drain, loses nothing, and says so at the next start", async () => {
    using container = Container.start([...OPEN, "--env", "DRAIN_WAIT=30", "--stop-timeout", "1"]);
    await container.healthy();
    assert.equal(await publish(await container.url(), "kept"), 201);
    await docker("stop", container.id);
    assert.equal(await container.inspect("{{.State.ExitCode}}"), "137");
    await docker("start", container.id);
    await container.healthy();
    assert.match(container.logs(), /was killed or crashed; .*longer than DRAIN_WAIT/);
    using all = await EventReader.open(`${await container.url()}/events?last_event_id=earliest`);
    assert.equal((await all.next()).data, "kept");
  });

  it("is unhealthy for Docker while it drains", async () => {
    using container = Container.start([
      ...OPEN,
      "--env",
      "DRAIN_WAIT=60",
      "--health-interval=1s",
      "--health-retries=1",
    ]);
    await container.healthy();
    await docker("kill", "--signal=TERM", container.id);
    await until("Docker says so", async () => (await container.inspect("{{.State.Health.Status}}")) === "unhealthy");
    assert.match(await container.inspect("{{json .State.Health.Log}}"), /unhealthy: accepting: draining/);
  });

  it("says in one sentence what is wrong with its environment", () => {
    assert.match(refusal(["--env", "PORT=eight"]), /^sse-mcp-server: PORT is "eight"; use a whole number/);
    assert.match(refusal(["--env", "DATA=/data/hub.db"]), /DATA is "\/data\/hub\.db"; use file:PATH, memory:/);
    assert.match(refusal(["--env", "API_KEYS_FILE="]), /HOST is "0\.0\.0\.0".*key create.*API_KEYS_FILE.*AUTH=none/);
    assert.match(refusal(["--env", "AUTH=none"]), /AUTH is none.*API_KEYS_FILE/);
    assert.match(refusal([], ["--max-readers", "5"]), /--max-readers/);
    assert.match(
      refusal(["--env", "LOG_FILE=/app/logs/hub.log"]),
      /LOG_FILE is "\/app\/logs\/hub\.log", which cannot be written: /,
    );
  });

  it("says in one sentence what is wrong with its volume", () => {
    const folder = mkdtempSync(join(tmpdir(), "hub-volume-"));
    try {
      const mounted = ["--volume", `${folder}:/data`];
      const said = refusal([...mounted, ...OPEN]);
      assert.match(said, /\/data belongs to user 0 .*, and the server runs as user 65532; chown 65532 \/data$/);
      chownSync(folder, 1000, 1000);
      assert.match(refusal([...mounted, ...OPEN]), /run the server as user 1000, or chown 65532 \/data$/);
      assert.match(refusal(mounted), /API_KEYS_FILE.*cannot be read \(EACCES\)\. \/data belongs to user 1000/);
      chownSync(folder, 65532, 65532);
      assert.match(
        refusal([...mounted.slice(0, 1), `${folder}:/data:ro`, ...OPEN]),
        /\/data is read-only; mount it so/,
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("runs as another user whose folder it is", async () => {
    const folder = mkdtempSync(join(tmpdir(), "hub-volume-"));
    chownSync(folder, 1000, 1000);
    try {
      using container = Container.start(["--volume", `${folder}:/data`, "--user", "1000:1000", ...OPEN]);
      await container.healthy();
      assert.equal(await publish(await container.url(), "Hello"), 201);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
