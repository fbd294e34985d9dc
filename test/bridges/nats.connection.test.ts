import { credsAuthenticator, nkeys, type ConnectionOptions } from "@nats-io/transport-node";
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Bus } from "../../src/bridges/bus.ts";
import { nats } from "../../src/bridges/kinds/nats.ts";
import type { NatsIn, NatsOut } from "../../src/bridges/kinds/nats/rules.ts";
import { needsNats, startNats, type NatsServer } from "../support/buses/nats.ts";
import { Authority } from "../support/certificates.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { TemporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

describe("the connection of a bridge to NATS", () => {
  it("is lost when the server ends, or the link breaks", async (t) => {
    if (!needsNats(t)) return;
    await using server = await startNats();
    await using proxy = await TcpProxy.open(server.port);
    const cut = await open(server.connectionAt(proxy.port));
    proxy.cut();
    await assert.rejects(cut.lost, /^Error: The connection to NATS was lost: /);
    const ended = await open(server.connection);
    await server.kill();
    await assert.rejects(ended.lost, /^Error: The connection to NATS was lost: /);
    await cut.close();
    await ended.close();
  });

  it("says if nothing listens, or what listens does not answer", async (t) => {
    if (!needsNats(t)) return;
    const mute = createServer((socket) => t.after(() => socket.destroy())).listen(0, "127.0.0.1");
    t.after(() => mute.close());
    await new Promise((resolve) => mute.once("listening", resolve));
    const { port } = mute.address() as AddressInfo;
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const refused = assert.rejects(
      () => open(`nats://127.0.0.1:${port}`),
      /^Error: No connection to NATS at 127\.0\.0\.1:\d+: /,
    );
    const ticking = setInterval(() => t.mock.timers.tick(1000), 10);
    await refused;
    clearInterval(ticking);
    t.mock.timers.reset();
    await assert.rejects(() => open("127.0.0.1:1"), /No connection to NATS at 127\.0\.0\.1:1: connection refused/);
  });

  it("is let in by a password or the seed of a key, and says what it may not do", async (t) => {
    if (!needsNats(t)) return;
    using folder = new TemporaryFolder();
    const key = nkeys.createUser();
    const seed = Buffer.from(key.getSeed()).toString();
    const permissions = `permissions: { publish: { deny: ["secret"] }, subscribe: { deny: ["secret"] } }`;
    await using server = await configured(
      folder,
      `authorization { users: [ { user: "hub", password: "p@ss", ${permissions} }, { nkey: ${key.getPublicKey()} } ] }`,
      { user: "hub", pass: "p@ss" },
    );
    const host = `127.0.0.1:${server.port}`;

    for (const connection of [
      `nats://hub:p%40ss@${host}`,
      { url: host, username: "hub", password: "p@ss" },
      { url: [host], nkey: `${seed}\n` },
    ]) {
      const bus = await open(connection);
      await (await bus.source(inRule({ subjects: ["open"] }))).close();
      await bus.close();
    }

    await assert.rejects(() => open(`nats://hub:wrong@${host}`), /: Authorization Violation/i);
    await assert.rejects(() => open(host), /: Authorization Violation/i);
    const bus = await open(`nats://hub:p%40ss@${host}`);
    await assert.rejects(() => bus.source(inRule({ subjects: ["secret"] })), /Permissions Violation for Subscription/);
    const message = { id: "1", body: new Uint8Array(), headers: {}, names: {} };
    const secret = await bus.target(outRule({ subject: "secret" }));
    await assert.rejects(() => secret.send([message]), /Permissions Violation for Publish/);
    // If messages name their subjects, one that may not be used does not hold up the others.
    const target = await bus.target(outRule({ subject: "${event}" }));
    const named = ["open", "secret", "open", "secret"].map((event) => ({ ...message, names: { event } }));
    for (let times = 0; times < 2; times++) {
      const results = (await target.send(named)).map((error) => error?.message ?? "");
      assert.deepEqual(
        results.map((text) => /Permissions Violation for Publish/.test(text)),
        [false, true, false, true],
      );
    }
    await bus.close();
  });

  it("is let in by a token, over TLS with an authority of its own and a certificate", async (t) => {
    if (!needsNats(t)) return;
    using folder = new TemporaryFolder();
    const authority = new Authority(folder.path);
    const { tlsCert, tlsKey } = authority.server();
    authority.sign("client", "/CN=hub");
    const [cert, key] = ["client.pem", "client.key"].map((name) => readFileSync(authority.path(name), "utf8"));
    const tls = { ca: authority.pem, cert: cert ?? "", key: key ?? "" };
    await using server = await configured(
      folder,
      `authorization { token: "t0ken" }
      tls { cert_file: "${tlsCert}", key_file: "${tlsKey}", ca_file: "${authority.file}", verify: true }`,
      { token: "t0ken", tls },
    );
    const url = `tls://127.0.0.1:${server.port}`;
    await (await open({ url, token: "t0ken", tls })).close();
    await (await open({ url: `tls://t0ken@127.0.0.1:${server.port}`, tls })).close();
    await assert.rejects(() => open({ url, token: "t0ken" }), /No connection to NATS at .*certificate/);
    await assert.rejects(() => open({ url, token: "wrong", tls }), /: Authorization Violation/i);
    await using plain = await startNats({ isCore: true });
    await assert.rejects(() => open(`tls://127.0.0.1:${plain.port}`), /server does not support 'tls'/);
  });

  it("is let in by credentials that an operator's account issued", async (t) => {
    if (!needsNats(t)) return;
    using folder = new TemporaryFolder();
    const [operator, account, user] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createUser()];
    const limits = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
    const sign = (by: typeof operator, of: typeof operator, claims: object): string => {
      const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
      const common = {
        jti: "test",
        iat: Math.floor(Date.now() / 1000),
        iss: by.getPublicKey(),
        sub: of.getPublicKey(),
      };
      const head = encode({ typ: "JWT", alg: "ed25519-nkey" });
      const text = `${head}.${encode({ ...common, name: "test", nats: { ...claims, version: 2 } })}`;
      return `${text}.${Buffer.from(by.sign(Buffer.from(text))).toString("base64url")}`;
    };
    const jwt = sign(account, user, { type: "user", subs: -1, data: -1, payload: -1 });
    const line = (words: string, text: string): string =>
      `-----BEGIN ${words}-----\n${text}\n------END ${words}------\n\n`;
    const seed = Buffer.from(user.getSeed()).toString();
    const creds = line("NATS USER JWT", jwt) + line("USER NKEY SEED", seed);
    await using server = await configured(
      folder,
      `operator: ${sign(operator, operator, { type: "operator" })}
      resolver: MEMORY
      resolver_preload: { ${account.getPublicKey()}: ${sign(operator, account, { type: "account", limits })} }`,
      { authenticator: credsAuthenticator(Buffer.from(creds)) },
    );
    const url = `127.0.0.1:${server.port}`;
    await (await open({ url, creds })).close();
    await assert.rejects(() => open({ url, nkey: seed }), /: Authorization Violation/i);
  });

  it("needs no more permissions than the documentation lists", async (t) => {
    if (!needsNats(t)) return;
    using folder = new TemporaryFolder();
    const page = readFileSync(join(import.meta.dirname, "../../docs/bridges.md"), "utf8");
    const listed = [...page.matchAll(/`(\$JS\.[^`]+)`/g)].map(([, subject = ""]) =>
      subject.replace(/STREAM(?=$|\.DURABLE)/, "shop").replace("DURABLE", "hub-orders"),
    );
    const publish = JSON.stringify([...listed, "shop.out"]);
    const permissions = `permissions: { publish: ${publish}, subscribe: "_INBOX.>" }`;
    const file = folder.file("nats.conf");
    writeFileSync(
      file,
      `authorization { users: [ { user: "hub", password: "hub", ${permissions} }, { user: "all", password: "all" } ] }`,
    );
    await using server = await startNats({ args: ["-c", file], credentials: { user: "all", pass: "all" } });
    await server.declare("shop");
    await server.send("shop", [{ body: new Uint8Array([49]), headers: {} }]);
    const message = { id: "1", body: new Uint8Array(), headers: {}, names: {} };
    for (const subjects of [undefined, ["shop.in"]]) {
      const bus = await open(`nats://hub:hub@127.0.0.1:${server.port}`);
      const rule = inRule({ stream: "shop", subjects, from: "all" });
      assert.notEqual(await bus.sample(rule), undefined);
      const left = await bus.source(rule);
      for await (const { messages } of left.batches()) {
        assert.equal(messages.length, 1);
        break;
      }
      await left.close();
      const source = await bus.source(rule);
      for await (const batch of source.batches()) {
        await batch.settle(["done"]);
        break;
      }
      assert.equal(await source.lag?.(), 0);
      await source.close();
      const target = await bus.target(outRule({ stream: "shop", subject: "shop.out" }));
      assert.deepEqual(await target.send([message]), [undefined]);
      await bus.close();
      const { consumers } = await server.manager();
      const acknowledged = async (): Promise<number> =>
        (await consumers.info("shop", "hub-orders")).ack_floor.stream_seq;
      await until("it is acknowledged", async () => (await acknowledged()) === 1);
      await consumers.delete("shop", "hub-orders");
    }
  });

  for (const [connection, sentence] of [
    ["http://host:4222", /use an address such as nats:\/\/host:4222 or tls:\/\/host:4222/],
    ["nats://host:4222/path", /use an address such as/],
    [{ url: [] }, /url/],
    [{ url: "host", username: "a", token: "b" }, /use one of username, token, creds and nkey/],
    [{ url: "host", password: "b" }, /password needs username/],
    [{ url: "host", tls: { caFile: "/x" } }, /tls/],
    [{ url: "host", passwort: "b" }, /passwort/],
  ] as const) {
    it(`cannot be ${JSON.stringify(connection)}`, () => {
      const { error } = nats.connection.safeParse(connection);
      assert.match(error?.message ?? "no error", sentence);
    });
  }
});

describe("a rule of a bridge to NATS", () => {
  for (const [rule, sentence] of [
    [{}, /name subjects, a stream, or both/],
    [{ subjects: ["orders.>.eu"] }, /"orders.>.eu" is not a subject; use words joined by dots/],
    [{ subjects: ["orders..eu"] }, /is not a subject/],
    [{ subjects: ["orders.*", "orders.eu"] }, /orders\.\* and orders\.eu overlap; name each message once/],
    [{ subjects: ["orders.eu.*", "orders.>"] }, /overlap/],
    [{ subjects: ["orders"], durable: "hub" }, /only JetStream has it; name a stream/],
    [{ stream: "orders", queue: "hub" }, /only core NATS has it; leave it out/],
    [{ stream: "orders.eu" }, /without spaces, dots/],
    [{ stream: "orders", maxAckPending: 0 }, /maxAckPending/],
  ] as const) {
    it(`cannot be ${JSON.stringify(rule)}`, () => {
      const { error } = nats.in.safeParse(rule);
      assert.match(error?.message.replaceAll('\\"', '"') ?? "no error", sentence);
    });
  }

  it("may name subjects that share no message", () => {
    const subjects = ["orders.*", "orders.*.paid", "orders.eu.sent", "users.>", "users"];
    assert.deepEqual(nats.in.parse({ subjects })["subjects"], subjects);
  });
});

async function configured(folder: TemporaryFolder, text: string, credentials: ConnectionOptions): Promise<NatsServer> {
  const file = folder.file("nats.conf");
  writeFileSync(file, text);
  return await startNats({ isCore: true, args: ["-c", file], credentials });
}

function open(connection: unknown): Promise<Bus<NatsIn, NatsOut>> {
  const client = { bridge: "orders", node: "node-1", report: () => {} };
  return nats.connect(nats.connection.parse(connection), client);
}

function inRule(rule: object): NatsIn {
  return nats.in.parse(rule) as unknown as NatsIn;
}

function outRule(rule: object): NatsOut {
  return nats.out.parse(rule) as unknown as NatsOut;
}
