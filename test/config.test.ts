import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import {
  configure,
  ConfigError,
  defaults,
  describe as described,
  flag,
  settingNames,
  variable,
  type Config,
} from "../src/config.ts";
import { TemporaryFolder } from "./support/temporary-folder.ts";

/** For each setting a value as it is written in the environment, and what it becomes. */
const GOOD: { readonly [Name in keyof Config]: readonly [string, Config[Name]] } = {
  host: ["0.0.0.0", "0.0.0.0"],
  port: ["8100", 8100],
  env: ["production", "production"],
  data: ["memory:", "memory:"],
  mirror: ["file:./mirror.db", "file:./mirror.db"],
  redisCa: ["./ca.pem", "./ca.pem"],
  redisCert: ["./node.pem", "./node.pem"],
  redisKey: ["./node.key", "./node.key"],
  durability: ["full", "full"],
  retentionAge: ["60", 60],
  retentionMessages: ["10", 10],
  retentionBytes: ["65536", 65_536],
  maxChannels: ["50", 50],
  maxConnections: ["1000", 1000],
  maxConnectionsPerAddress: ["7", 7],
  maxMessageBytes: ["1024", 1024],
  maxBodyBytes: ["2048", 2048],
  maxFileBytes: ["1000", 1000],
  maxFilesBytes: ["5000", 5000],
  maxChannelsPerReader: ["5", 5],
  maxPendingBytes: ["131072", 131_072],
  maxPendingTotalBytes: ["2097152", 2_097_152],
  maxSessions: ["10", 10],
  sessionTimeout: ["60", 60],
  legacySse: ["true", true],
  eventsDialect: ["sep-3415", "sep-3415"],
  compressStreams: ["true", true],
  heartbeat: ["30", 30],
  drain: ["0", 0],
  drainWait: ["10", 10],
  requestTimeout: ["10", 10],
  allowedOrigins: ["https://a.example, http://b.example:8080", ["https://a.example", "http://b.example:8080"]],
  allowedHosts: ["hub.example,other.example", ["hub.example", "other.example"]],
  auth: ["none", "none"],
  publicUrl: ["https://hub.example", "https://hub.example"],
  basePath: ["/team/hub/", "/team/hub"],
  apiKeysFile: ["./keys.json", "./keys.json"],
  hooksFile: ["./hooks.json", "./hooks.json"],
  jwtIssuers: [
    "https://a.example, https://b.example=https://b.example/keys",
    ["https://a.example", "https://b.example=https://b.example/keys"],
  ],
  jwtSecret: ["0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef"],
  jwtAudience: ["hub,api://hub", ["hub", "api://hub"]],
  jwtAlgorithms: ["ES256,EdDSA", ["ES256", "EdDSA"]],
  jwtClaim: ["https://hub.example/grants", "https://hub.example/grants"],
  jwtChannels: ["orders.*,news", ["orders.*", "news"]],
  anonymousPublish: ["guestbook", ["guestbook"]],
  anonymousSubscribe: ["news.*", ["news.*"]],
  authSecret: ["0123456789abcdef0123456789abcdef", ["0123456789abcdef0123456789abcdef"]],
  browserSessionAge: ["3600", 3600],
  loginIssuer: ["https://login.example/realms/team", "https://login.example/realms/team"],
  loginClientId: ["hub", "hub"],
  loginClientSecret: ["secret", "secret"],
  loginScopes: ["openid,groups", ["openid", "groups"]],
  loginPublish: ["chat.*", ["chat.*"]],
  loginSubscribe: ["*", ["*"]],
  maxConnectionAge: ["3600", 3600],
  tlsCert: ["./hub.pem", "./hub.pem"],
  tlsKey: ["./hub.key", "./hub.key"],
  tlsClientCa: ["./ca.pem", "./ca.pem"],
  certificatePublish: ["news,billing=orders.*", ["news", "billing=orders.*"]],
  certificateSubscribe: ["*", ["*"]],
  trustedProxies: ["10.0.0.0/8, ::1", ["10.0.0.0/8", "::1"]],
  rateLimits: ["on", "on"],
  limitConnects: ["7", 7],
  limitPublishes: ["8", 8],
  limitPublishBytes: ["9", 9],
  limitToolCalls: ["10", 10],
  limitHistoryPages: ["11", 11],
  limitHookDeliveries: ["6", 6],
  limitFailedCredentials: ["12", 12],
  limitNewChannels: ["13", 13],
  limitWaitingCalls: ["14", 14],
  discovery: ["eureka:http://a:8761/eureka,http://b:8761/eureka", "eureka:http://a:8761/eureka,http://b:8761/eureka"],
  serviceName: ["orders-hub", "orders-hub"],
  advertise: ["10.0.0.7:8000", "10.0.0.7:8000"],
  consulToken: ["6f1d2c1e-0b6f", "6f1d2c1e-0b6f"],
  logLevel: ["warn", "warn"],
  logFile: ["./logs/hub.log", "./logs/hub.log"],
  bridges: ['[{"name":"a"}]', [{ name: "a" }]],
  bridgesFile: ["./bridges.json", "./bridges.json"],
  webhooksFile: ["./webhooks.json", "./webhooks.json"],
  webhookAllow: ["127.0.0.0/8, ::1", ["127.0.0.0/8", "::1"]],
  notifyFile: ["./notify.json", "./notify.json"],
  tools: ["./a.ts, ./b.js", ["./a.ts", "./b.js"]],
};

/** For each setting values that it cannot have, and how the sentence about them ends. */
const BAD: { readonly [Name in keyof Config]: readonly [readonly string[], string] } = {
  host: [[], "use an address or host name"],
  port: [["http", "-1", "65536", "80.5", "0x50", " 80", "1e3"], "use a whole number from 0 to 65535"],
  env: [["staging", "PRODUCTION"], "use development, production, test"],
  data: [
    ["postgres://x", "file:", "./hub.db", "redis:hub", "redis+tls://hub"],
    "use file:PATH, memory:, redis://HOST:PORT, rediss://, redis+sentinel://HOST,HOST/NAME or redis+cluster://HOST,HOST",
  ],
  mirror: [["./mirror.db", "memory:", "file:"], "use temporary: or file:PATH"],
  redisCa: [[], "use a path"],
  redisCert: [[], "use a path"],
  redisKey: [[], "use a path"],
  durability: [["fast"], "use normal, full"],
  retentionAge: [["0", "7d"], "use a whole number from 1 to 315360000"],
  retentionMessages: [["0"], "use a whole number from 1 to 1000000000"],
  retentionBytes: [["1", "1GB"], "use a whole number from 65536 to 1000000000000"],
  maxChannels: [["0", "many", "10000001"], "use a whole number from 1 to 10000000"],
  maxConnections: [["0", "ten", "1000001"], "use a whole number from 1 to 1000000"],
  maxConnectionsPerAddress: [["-1", "half", "50%"], "use a whole number from 0 to 1000000"],
  maxMessageBytes: [["0", "99999999999999999999"], "use a whole number from 1 to 16777216"],
  maxBodyBytes: [["1"], "use a whole number from 1024 to 67108864"],
  maxFileBytes: [["0", "10MB"], "use a whole number from 1 to 1073741824"],
  maxFilesBytes: [["0", "-1"], "use a whole number from 1 to 1000000000000"],
  maxChannelsPerReader: [["0"], "use a whole number from 1 to 10000"],
  maxPendingBytes: [["1"], "use a whole number from 65536 to 1073741824"],
  maxPendingTotalBytes: [["1"], "use a whole number from 1048576 to 1000000000000"],
  maxSessions: [["0"], "use a whole number from 1 to 1000000"],
  sessionTimeout: [["0", "30m"], "use a whole number from 1 to 2592000"],
  legacySse: [["yes", "1", "TRUE"], "use true or false"],
  eventsDialect: [["on", "SEP-3415"], "use sketch, sep-3415, off"],
  compressStreams: [["gzip", "on"], "use true or false"],
  heartbeat: [["0", "301"], "use a whole number from 1 to 300"],
  drain: [["-1", "301"], "use a whole number from 0 to 300"],
  drainWait: [["-1", "301"], "use a whole number from 0 to 300"],
  requestTimeout: [["0"], "use a whole number from 1 to 3600"],
  allowedOrigins: [
    ["app.example", "https://app.example/path", "https://", "https://a b", "https://a.*.example", "https://a:x"],
    "use origins such as https://app.example, http://localhost:*, tauri://localhost or null, or * for any, separated by commas",
  ],
  allowedHosts: [
    ["http://hub.example", "a b", "hub.*", "hub.example:port", ":8000"],
    "use host names such as hub.example, hub.example:8000 or *.hub.example, or * for any, separated by commas",
  ],
  auth: [["full", "true", "NONE"], "use none, or leave it out"],
  publicUrl: [
    ["hub.example", "https://hub.example/", "https://hub.example/hub", "ftp://hub.example", "https://a b"],
    "use an origin such as https://hub.example; a path is BASE_PATH",
  ],
  basePath: [
    ["hub", "https://a.example/hub", "/hub?", "/a//b", "/../hub", "/./a", "/hüb", "/a b", "/%41", "//"],
    "use a path such as /hub, of letters, digits and - . _ ~",
  ],
  apiKeysFile: [[], "use a path"],
  hooksFile: [[], "use a path"],
  jwtIssuers: [
    ["login.example", "https://", "https://a.example=keys", "https://a.example=https://b.example=https://c.example"],
    "use URLs, each with =URL of its key set if it has no discovery, separated by commas",
  ],
  jwtSecret: [["secret", "0123456789abcdef0123456789abcde"], "use 32 characters or more"],
  jwtAudience: [[], "use names, separated by commas"],
  jwtAlgorithms: [["HS256", "none", "rs256"], "use RS256, PS256, ES256, ES384, EdDSA, Ed25519, separated by commas"],
  jwtClaim: [["the grants"], "use the name of a claim"],
  jwtChannels: [["orders*", "hub.*"], "use channels or patterns such as orders.*, separated by commas"],
  anonymousPublish: [["a b"], "use channels or patterns such as orders.*, separated by commas"],
  anonymousSubscribe: [["*.eu"], "use channels or patterns such as orders.*, separated by commas"],
  authSecret: [["secret"], "use 32 characters or more, separated by commas"],
  browserSessionAge: [["0", "12h"], "use a whole number from 60 to 2592000"],
  loginIssuer: [["login.example"], "use the URL of an OpenID provider"],
  loginClientId: [[], "use the id of a client"],
  loginClientSecret: [[], "use the secret of a client"],
  loginScopes: [[], "use scopes, separated by commas"],
  loginPublish: [["#"], "use channels or patterns such as orders.*, separated by commas"],
  loginSubscribe: [["/"], "use channels or patterns such as orders.*, separated by commas"],
  maxConnectionAge: [["-1", "1h"], "use a whole number from 0 to 2592000"],
  tlsCert: [[], "use a path"],
  tlsKey: [[], "use a path"],
  tlsClientCa: [[], "use a path"],
  certificatePublish: [
    ["#", "billing=", "billing=a b"],
    "use patterns such as orders.*, or NAME=PATTERN for the certificate with that name, separated by commas",
  ],
  certificateSubscribe: [
    ["/"],
    "use patterns such as orders.*, or NAME=PATTERN for the certificate with that name, separated by commas",
  ],
  trustedProxies: [
    ["proxy.example", "10.0.0.0/33", "::1/129", "10.0.0.0/8/8"],
    "use addresses and networks such as 10.0.0.0/8, separated by commas",
  ],
  rateLimits: [["true", "yes"], "use on or off"],
  limitConnects: [["-1", "many"], "use a whole number from 0 to 1000000"],
  limitPublishes: [["-1", "many"], "use a whole number from 0 to 1000000"],
  limitPublishBytes: [["-1", "many"], "use a whole number from 0 to 1000000000"],
  limitToolCalls: [["-1", "many"], "use a whole number from 0 to 1000000"],
  limitHistoryPages: [["-1", "many"], "use a whole number from 0 to 1000000"],
  limitHookDeliveries: [["-1", "many"], "use a whole number from 0 to 1000000"],
  limitFailedCredentials: [["-1", "many"], "use a whole number from 0 to 1000000"],
  limitNewChannels: [["-1", "many"], "use a whole number from 0 to 1000000"],
  limitWaitingCalls: [["-1", "many"], "use a whole number from 0 to 1000000"],
  discovery: [
    [
      "http://127.0.0.1:8500",
      "consul:127.0.0.1:8500",
      "consul:http://a,http://b",
      "eureka:",
      "eureka:http://a,b",
      "etcd:http://a",
    ],
    "use consul:http://127.0.0.1:8500 or eureka:http://HOST:8761/eureka, with more Eureka servers after commas",
  ],
  serviceName: [["my hub", "-hub", "hub_1", "h".repeat(64)], "use letters, digits and hyphens, at most 63"],
  advertise: [
    ["hub.example", "0.0.0.0:8000", "[::]:8000", "*.example:8000", "hub.example:*", "10.0.0.7:0", "10.0.0.7:65536"],
    "use HOST:PORT such as 10.0.0.7:8000",
  ],
  consulToken: [["a token", "tokén"], "use an ACL token"],
  logLevel: [["loud"], "use trace, debug, info, warn, error, silent"],
  logFile: [[], "use a path"],
  bridges: [["{}", "[", "1"], "use a list of bridges in JSON"],
  bridgesFile: [[], "use a path"],
  webhooksFile: [[], "use a path"],
  notifyFile: [[], "use a path"],
  webhookAllow: [
    ["localhost", "10.0.0.0/33", "10"],
    "use addresses and networks such as 10.0.0.0/8, separated by commas",
  ],
  tools: [[], "use paths of modules, separated by commas"],
};

const SECRETS: ReadonlySet<string> = new Set([
  "bridges",
  "jwtSecret",
  "authSecret",
  "loginClientSecret",
  "consulToken",
]);

function fails(words: readonly string[], environment: Record<string, string>): string {
  try {
    configure(words, environment);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.message;
  }
  throw new Error(`taken: ${words.join(" ")} ${JSON.stringify(environment)}`);
}

describe("the configuration", () => {
  it("is all defaults where nothing is said, and those are what the project promises", () => {
    const { config, sources } = configure([], {});
    assert.deepEqual(config, defaults());
    assert.ok(Object.values(sources).every((source) => source === "default"));
    const {
      host,
      port,
      env,
      data,
      maxConnections,
      maxMessageBytes,
      maxBodyBytes,
      maxChannelsPerReader,
      heartbeat,
      allowedOrigins,
    } = config;
    assert.deepEqual([host, port, env, data], ["127.0.0.1", 8000, "development", "file:./data/hub.db"]);
    assert.deepEqual(
      [maxConnections, maxMessageBytes, maxBodyBytes, maxChannelsPerReader, heartbeat],
      [10_000, 65_536, 1_048_576, 100, 15],
    );
    assert.deepEqual(allowedOrigins, []);
  });

  for (const name of settingNames) {
    it(`takes ${variable(name)} from the environment, over it from ${flag(name)}, and under it from the file`, () => {
      using folder = new TemporaryFolder();
      const [text, value] = GOOD[name];
      writeFileSync(folder.file("hub.json"), JSON.stringify({ [variable(name)]: value }));
      const file = ["--config", folder.file("hub.json")];
      const other = String(defaults()[name]);
      const fromFile = configure(file, {});
      assert.deepEqual([fromFile.config[name], fromFile.sources[name]], [value, "file"]);
      const fromEnvironment = configure([], { [variable(name)]: text });
      assert.deepEqual([fromEnvironment.config[name], fromEnvironment.sources[name]], [value, "environment"]);
      const fromFlag = configure([flag(name), text], {});
      assert.deepEqual([fromFlag.config[name], fromFlag.sources[name]], [value, "flag"]);
      if (other === "") return;
      const over = configure([...file, flag(name), text], { [variable(name)]: other });
      assert.deepEqual([over.config[name], over.sources[name]], [value, "flag"]);
      const between = configure(file, { [variable(name)]: other });
      assert.deepEqual([between.config[name], between.sources[name]], [defaults()[name], "environment"]);
    });

    it(`says what is wrong with ${variable(name)}, and what would be right, wherever it was written`, () => {
      using folder = new TemporaryFolder();
      const [values, ending] = BAD[name];
      for (const value of values) {
        const sentence = `is ${JSON.stringify(SECRETS.has(name) ? "***" : value)}; ${ending}`;
        assert.equal(fails([], { [variable(name)]: value }), `${variable(name)} ${sentence}`);
        assert.equal(fails([`${flag(name)}=${value}`], {}), `${flag(name)} ${sentence}`);
        writeFileSync(folder.file("hub.json"), JSON.stringify({ [variable(name)]: value }));
        assert.equal(fails([], { CONFIG: folder.file("hub.json") }), `${variable(name)} ${sentence}`);
      }
      writeFileSync(folder.file("hub.json"), JSON.stringify({ [variable(name)]: null }));
      assert.equal(fails([], { CONFIG: folder.file("hub.json") }), `${variable(name)} is null; ${ending}`);
    });
  }

  it("has a line for --help about every setting", () => {
    for (const name of settingNames) assert.ok(described(name).about.length > 10, name);
  });

  it("takes NODE_ENV where it says one of our words, and ENV over it", () => {
    assert.equal(configure([], { NODE_ENV: "production" }).config.env, "production");
    assert.equal(configure([], { NODE_ENV: "production" }).sources.env, "environment");
    assert.equal(configure([], { NODE_ENV: "production", ENV: "test" }).config.env, "test");
    assert.equal(configure([], { NODE_ENV: "staging" }).config.env, "development");
  });

  it("takes an empty variable for one that is not set", () => {
    const { config, sources } = configure([], { PORT: "", HOST: "", ALLOWED_ORIGINS: "" });
    assert.deepEqual([config.port, config.host, sources.port], [8000, "127.0.0.1", "default"]);
  });

  it("reads the file that --config names, rather than that of CONFIG", () => {
    using folder = new TemporaryFolder();
    writeFileSync(folder.file("flag.json"), '{"PORT": 1}');
    writeFileSync(folder.file("variable.json"), '{"PORT": 2, "MAX_CONNECTIONS": "7"}');
    const environment = { CONFIG: folder.file("variable.json") };
    assert.equal(configure(["--config", folder.file("flag.json")], environment).config.port, 1);
    assert.deepEqual(
      [configure([], environment).config.port, configure([], environment).config.maxConnections],
      [2, 7],
    );
  });

  it("says what is wrong with its file", () => {
    using folder = new TemporaryFolder();
    const path = folder.file("hub.json");
    const environment = { CONFIG: path };
    assert.match(fails([], environment), /^The configuration file .+hub\.json cannot be read as JSON: ENOENT/);
    const contents: readonly (readonly [string, RegExp])[] = [
      ["{", /hub\.json cannot be read as JSON: /],
      ["[]", /hub\.json is not a JSON object such as \{"PORT": 8100\}$/],
      ["7", /is not a JSON object/],
      ["null", /is not a JSON object/],
      ['{"port": 1}', /sets port, which is not a setting; see --help$/],
      ['{"__proto__": {"PORT": 1}}', /sets __proto__, which is not a setting/],
    ];
    for (const [content, sentence] of contents) {
      writeFileSync(path, content);
      assert.match(fails([], environment), sentence);
    }
    mkdirSync(folder.file("folder"));
    assert.match(fails([], { CONFIG: folder.file("folder") }), /cannot be read as JSON: EISDIR/);
  });

  it("says what is wrong with flags that it does not know, or that lack a value", () => {
    assert.equal(fails(["--prot", "1"], {}), "Unknown option '--prot'; see --help");
    assert.match(fails(["--port"], {}), /^Option '--port <value>' argument missing; see --help$/);
    assert.match(fails(["extra"], {}), /^Unexpected argument 'extra'.*; see --help$/);
  });
});
