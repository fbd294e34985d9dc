import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from "node:net";
import { describe, it } from "node:test";
import type { TLSSocket } from "node:tls";
import { AddressRules } from "../../../src/webhooks/out/address-rules.ts";
import { PostFault, SafePoster, type SafePosterOptions } from "../../../src/webhooks/out/safe-post.ts";
import { Authority } from "../../support/certificates.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";
import { until } from "../../support/until.ts";

const LOOPBACK = ["127.0.0.0/8", "::1"];
const never = new AbortController().signal;

function poster(options: Partial<SafePosterOptions> & { readonly allow?: readonly string[] } = {}): SafePoster {
  const { allow = LOOPBACK, ...rest } = options;
  return new SafePoster({ rules: new AddressRules(allow), ...rest });
}

function post(
  by: SafePoster,
  url: string,
): Promise<{ readonly status: number; readonly retryAfter?: string | undefined }> {
  return by.post(new URL(url), { "content-type": "application/json" }, '{"a":1}', never);
}

/** The kind of fault that a delivery ends with. */
async function fault(by: SafePoster, url: string): Promise<string> {
  try {
    return `answered ${(await post(by, url)).status}`;
  } catch (error) {
    assert.ok(error instanceof PostFault, String(error));
    return error.kind;
  }
}

interface Listening extends AsyncDisposable {
  readonly port: number;
}

async function listening(server: Server, host = "127.0.0.1"): Promise<Listening> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  server.listen(0, host);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

function answering(status: number, headers: Record<string, string> = {}, seen: IncomingMessage[] = []): Server {
  return createServer((request: IncomingMessage, response: ServerResponse) => {
    seen.push(request);
    request.resume();
    request.on("end", () => response.writeHead(status, headers).end("{}"));
  });
}

describe("a POST to where a stranger says", () => {
  it("goes over HTTPS to the address that the name resolved to, with the name in Host and SNI", async () => {
    using folder = new TemporaryFolder();
    const authority = new Authority(folder.path);
    const names: string[] = [];
    let body = "";
    const server = createTlsServer(authority.sign("hub", "/CN=hub", "DNS:hooks.example"), (request, response) => {
      names.push(request.headers.host ?? "", String((request.socket as TLSSocket).servername));
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => response.writeHead(204).end());
    });
    await using there = await listening(server);
    const lookup = async () => [{ address: "127.0.0.1", family: 4 }];
    const answer = await post(poster({ lookup, ca: authority.pem }), `https://hooks.example:${there.port}/x?y=1`);
    assert.equal(answer.status, 204);
    assert.deepEqual(names, [`hooks.example:${there.port}`, "hooks.example"]);
    assert.equal(body, '{"a":1}');
    const other = poster({ lookup, ca: authority.pem });
    assert.equal(await fault(other, `https://other.example:${there.port}`), "tls", "a certificate of another name");
    assert.equal(await fault(poster({ lookup }), `https://hooks.example:${there.port}`), "tls", "an unknown authority");
  });

  it("is refused if any address of the name is special, without a connection to any of them", async () => {
    const seen: IncomingMessage[] = [];
    await using there = await listening(answering(200, {}, seen));
    const lookup = async () => [
      { address: "127.0.0.1", family: 4 },
      { address: "10.0.0.1", family: 4 },
    ];
    assert.equal(await fault(poster({ lookup }), `https://mixed.example:${there.port}`), "address");
    assert.equal(await fault(poster({ lookup: async () => [] }), "https://none.example"), "address");
    assert.equal(seen.length, 0);
  });

  it("asks for the addresses once each time, so that a name that changes them finds nothing", async () => {
    const ports = new Set<number | undefined>();
    const server = answering(200).on("connection", ({ remotePort }) => ports.add(remotePort));
    await using there = await listening(server);
    let asked = 0;
    const addresses = ["127.0.0.1", "127.0.0.1", "169.254.169.254"];
    const lookup = async () => [{ address: addresses[asked++] ?? "127.0.0.1", family: 4 }];
    const by = poster({ lookup, allow: ["127.0.0.1"] });
    assert.equal((await post(by, `http://rebinding.example:${there.port}`)).status, 200);
    assert.equal((await post(by, `http://rebinding.example:${there.port}`)).status, 200);
    assert.equal(await fault(by, `http://rebinding.example:${there.port}`), "address");
    assert.equal(asked, 3);
    assert.equal(ports.size, 2, "no connection is used twice");
  });

  it("checks addresses in URLs in every way of writing them", async () => {
    const by = poster({ allow: [] });
    const hosts = [
      "127.0.0.1",
      "0x7f.1",
      "2130706433",
      "017700000001",
      "127.1",
      "[::1]",
      "[::ffff:7f00:1]",
      "0",
      "[::]",
    ];
    for (const host of [...hosts, "169.254.169.254", "[64:ff9b::7f00:1]", "１２７.0.0.1", "127.0.0.1."])
      assert.equal(await fault(by, `https://${host}/`), "address", host);
  });

  it("goes over plain HTTP only to networks that are allowed by name", async () => {
    await using there = await listening(answering(200));
    assert.equal((await post(poster(), `http://127.0.0.1:${there.port}`)).status, 200);
    assert.equal(
      await fault(poster({ lookup: async () => [{ address: "8.8.8.8", family: 4 }] }), "http://a.example"),
      "address",
    );
  });

  it("does not follow redirects", async () => {
    const seen: IncomingMessage[] = [];
    await using target = await listening(answering(200, {}, seen));
    for (const status of [301, 302, 303, 307, 308]) {
      await using there = await listening(answering(status, { location: `http://127.0.0.1:${target.port}/` }));
      assert.equal((await post(poster(), `http://127.0.0.1:${there.port}`)).status, status);
    }
    assert.equal(seen.length, 0);
  });

  it("uses no proxy that the environment names", async () => {
    const seen: IncomingMessage[] = [];
    await using there = await listening(answering(200, {}, seen));
    const proxied: string[] = [];
    await using proxy = await listening(
      createServer(({ url = "" }, response) => {
        proxied.push(url);
        response.writeHead(502).end();
      }),
    );
    const script = `
      import { request } from "node:http";
      import { AddressRules } from "${import.meta.resolve("../../../src/webhooks/out/address-rules.ts")}";
      import { SafePoster } from "${import.meta.resolve("../../../src/webhooks/out/safe-post.ts")}";
      const by = new SafePoster({ rules: new AddressRules(["127.0.0.1"]) });
      const { status } = await by.post(new URL("http://127.0.0.1:${there.port}/"), {}, "{}", new AbortController().signal);
      const plain = await new Promise((done) => request("http://127.0.0.1:${there.port}/", (answer) => done(answer.resume().statusCode)).end());
      console.log(status, plain);
    `;
    const env = { ...process.env, NODE_USE_ENV_PROXY: "1", HTTP_PROXY: `http://127.0.0.1:${proxy.port}`, NO_PROXY: "" };
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    let out = "";
    child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
    await once(child, "close");
    assert.equal(out.trim(), "200 502", "the ordinary client goes through the proxy, and this one does not");
    assert.deepEqual(proxied.length, 1);
  });

  it("gives up on a server that says nothing, one that does not connect, and a name that does not resolve", async () => {
    const timeouts = { connect: 150, head: 300, whole: 450 };
    await using silent = await listening(createTcpServer((socket) => void socket.on("error", () => {})));
    assert.equal(await fault(poster({ timeouts }), `http://127.0.0.1:${silent.port}`), "timeout");
    assert.equal(await fault(poster({ timeouts }), `https://127.0.0.1:${silent.port}`), "timeout", "no TLS");
    const lookup = () => new Promise<never>(() => {});
    assert.equal(await fault(poster({ timeouts, lookup }), "https://slow.example"), "timeout");
    const unknown = async () => Promise.reject(new Error("ENOTFOUND"));
    assert.equal(await fault(poster({ lookup: unknown }), "https://unknown.example"), "name");
    const closed = await listening(answering(200));
    await closed[Symbol.asyncDispose]();
    assert.equal(await fault(poster(), `http://127.0.0.1:${closed.port}`), "connection");
  });

  it("takes the status of an answer that does not end, and of one that is too long, and reads no more of it", async () => {
    const timeouts = { connect: 1000, head: 1000, whole: 200 };
    const endless = createServer((request, response) => {
      request.resume();
      response.writeHead(202, { "retry-after": "7" });
      response.write("a");
    });
    await using there = await listening(endless);
    assert.deepEqual(await post(poster({ timeouts }), `http://127.0.0.1:${there.port}`), {
      status: 202,
      text: "a",
      retryAfter: "7",
    });
    let written = 0;
    const long = createServer((request, response) => {
      request.resume();
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed && written < 64 * 1024 * 1024) {
          written += 65_536;
          if (!response.write(Buffer.alloc(65_536))) return void response.once("drain", more);
        }
      };
      more();
    });
    await using flood = await listening(long);
    assert.equal((await post(poster(), `http://127.0.0.1:${flood.port}`)).status, 200);
    assert.ok(written < 32 * 1024 * 1024, `${written} bytes were taken`);
  });

  it("answers with a fault, and no text of the other end, if that is not HTTP or has a head without end", async () => {
    const secret = "internal-banner-of-some-service";
    await using banner = await listening(
      createTcpServer((socket) => {
        socket.on("error", () => {});
        socket.end(`${secret}\r\n`);
      }),
    );
    await using endless = await listening(
      createTcpServer((socket) => {
        socket.on("error", () => {});
        socket.write("HTTP/1.1 200 OK\r\n");
        const more = (): void => {
          while (!socket.destroyed && socket.write(`x-a: ${"a".repeat(1000)}\r\n`));
          if (!socket.destroyed) socket.once("drain", more);
        };
        more();
      }),
    );
    for (const { port } of [banner, endless]) {
      const error = await post(poster(), `http://127.0.0.1:${port}`).catch((caught: unknown) => caught);
      assert.ok(error instanceof PostFault && error.kind === "connection", String(error));
      assert.doesNotMatch(error.message, new RegExp(secret));
    }
  });

  it("ends when its signal is aborted", async () => {
    await using silent = await listening(createTcpServer((socket) => void socket.on("error", () => {})));
    const stop = new AbortController();
    const sent = poster().post(new URL(`http://127.0.0.1:${silent.port}`), {}, "{}", stop.signal);
    stop.abort(new Error("stopped"));
    await assert.rejects(sent, /stopped/);
  });

  it("lets names whose servers do not answer hold up none that was resolved before", async () => {
    await using there = await listening(answering(204));
    const answers = new Map<string, () => void>();
    const lookup = async (name: string): Promise<{ address: string; family: number }[]> => {
      if (name.startsWith("dead")) await new Promise<void>((resolve) => answers.set(name, resolve));
      return [{ address: "127.0.0.1", family: 4 }];
    };
    const by = poster({ lookup });
    const good = `http://good.example:${there.port}`;
    assert.equal(await fault(by, good), "answered 204");
    const dead = Array.from({ length: 5 }, async (_, n) => fault(by, `http://dead${n}.example:${there.port}`));
    assert.equal(await fault(by, good), "answered 204");
    const asked = [...answers.keys()];
    for (let n = 0; n < 5; n++) await answered(answers, n);
    assert.deepEqual(asked, ["dead0.example"]);
    assert.deepEqual(new Set(await Promise.all(dead)), new Set(["answered 204"]));
  });
});

/** Lets a lookup go on, once it is made. */
async function answered(answers: ReadonlyMap<string, () => void>, n: number): Promise<void> {
  const name = `dead${n}.example`;
  await until(name, () => answers.has(name));
  answers.get(name)?.();
}
