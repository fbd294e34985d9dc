import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as client from "../src/client/index.ts";
import { settingNames, variable } from "../src/config.ts";
import { hubErrorCodes } from "../src/core/errors.ts";
import * as surface from "../src/index.ts";
import { APP_TOOLS, ToolSet } from "../src/tools/index.ts";
import { CLOSE_CODES } from "../src/protocol/ws-frames.ts";

// What others build on, as literals: a change here is a change for them.
describe("the public surface", () => {
  it("exports these names", () => {
    const names = [
      "ConfigError",
      "HubError",
      "ToolError",
      "configure",
      "createServer",
      "defaults",
      "defineTool",
      "hubErrorCodes",
      "version",
      "z",
    ];
    assert.deepEqual(Object.keys(surface).sort(), names);
  });

  it("exports these names to clients", () => {
    assert.deepEqual(Object.keys(client).sort(), ["HubClientError", "connect"]);
    using hub = Object.assign(client.connect("http://localhost:8000"), { [Symbol.dispose]: () => hub.close() });
    const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(hub));
    assert.deepEqual(methods.sort(), [
      "call",
      "close",
      "constructor",
      "onState",
      "publish",
      "state",
      "subscribe",
      "tools",
      "wake",
    ]);
  });

  it("has these error codes", () => {
    assert.deepEqual(hubErrorCodes, [
      "INVALID_CHANNEL",
      "INVALID_PATTERN",
      "TOO_MANY_CHANNELS",
      "INVALID_MESSAGE",
      "MESSAGE_TOO_LARGE",
      "INVALID_INPUT",
      "INVALID_JSON",
      "INVALID_REQUEST",
      "BODY_TOO_LARGE",
      "UNKNOWN_TOOL",
      "UNKNOWN_METHOD",
      "NOT_FOUND",
      "METHOD_NOT_ALLOWED",
      "UNSUPPORTED_MEDIA_TYPE",
      "TOO_MANY_SCHEDULED",
      "TOO_MANY_QUESTIONS",
      "QUESTION_CLOSED",
      "IDEMPOTENCY_KEY_REUSED",
      "INVALID_DELIVERY",
      "UNAUTHENTICATED",
      "FORBIDDEN",
      "HOST_NOT_ALLOWED",
      "ORIGIN_NOT_ALLOWED",
      "REQUEST_TIMEOUT",
      "RATE_LIMITED",
      "AUTH_UNAVAILABLE",
      "TOO_MANY_CONNECTIONS",
      "LOG_UNAVAILABLE",
      "OVERLOADED",
      "SHUTTING_DOWN",
      "NOT_SUPPORTED",
      "INTERNAL",
    ]);
  });

  it("closes WebSockets with these codes", () => {
    assert.deepEqual(CLOSE_CODES, {
      unavailable: 4001,
      shutdown: 4002,
      aged: 4003,
      ended: 4004,
      not_json: 4100,
      binary: 4101,
      unauthenticated: 4102,
      expired: 4103,
      revoked: 4104,
      forbidden: 4105,
    });
  });

  it("has these tools for views, with these inputs", () => {
    assert.deepEqual(
      APP_TOOLS.map(({ name, input }) => [name, Object.keys(input.shape)]),
      [
        ["look_at_question", ["questionId", "text", "channel"]],
        ["answer_question", ["questionId", "value", "proposalHash"]],
      ],
    );
  });

  it("offers these tools with these inputs", () => {
    const inputs = new ToolSet().listings.map(({ name, inputSchema }) => {
      const { properties, required } = inputSchema as { properties: object; required: string[] };
      return [name, Object.keys(properties), required];
    });
    assert.deepEqual(inputs, [
      ["get_server_info", [], []],
      ["send_sse_message", ["message", "channel", "event", "sender"], ["message"]],
      ["list_channels", ["prefix"], []],
      ["read_messages", ["channel", "after", "limit", "maxBytes", "query"], ["channel"]],
      [
        "wait_for_messages",
        ["channels", "after", "timeoutSeconds", "exceptSender", "mentions", "events", "maxBytes"],
        ["channels"],
      ],
      [
        "ask_person",
        [
          "question",
          "channel",
          "options",
          "answer",
          "context",
          "proposal",
          "assignees",
          "urgency",
          "dedupeKey",
          "deadlineSeconds",
          "onTimeout",
          "timeoutSeconds",
        ],
        ["question"],
      ],
      ["await_answer", ["questionId", "timeoutSeconds"], ["questionId"]],
      ["list_participants", ["channel"], []],
    ]);
  });

  it("reads these variables", () => {
    assert.deepEqual(settingNames.map(variable), [
      "HOST",
      "PORT",
      "ENV",
      "DATA",
      "MIRROR",
      "REDIS_CA",
      "REDIS_CERT",
      "REDIS_KEY",
      "DURABILITY",
      "RETENTION_AGE",
      "RETENTION_MESSAGES",
      "RETENTION_BYTES",
      "MAX_CHANNELS",
      "MAX_CONNECTIONS",
      "MAX_CONNECTIONS_PER_ADDRESS",
      "MAX_MESSAGE_BYTES",
      "MAX_BODY_BYTES",
      "MAX_FILE_BYTES",
      "MAX_FILES_BYTES",
      "MAX_CHANNELS_PER_READER",
      "MAX_PENDING_BYTES",
      "MAX_PENDING_TOTAL_BYTES",
      "MAX_SESSIONS",
      "SESSION_TIMEOUT",
      "LEGACY_SSE",
      "EVENTS_DIALECT",
      "COMPRESS_STREAMS",
      "HEARTBEAT",
      "DRAIN",
      "DRAIN_WAIT",
      "REQUEST_TIMEOUT",
      "ALLOWED_ORIGINS",
      "ALLOWED_HOSTS",
      "AUTH",
      "PUBLIC_URL",
      "BASE_PATH",
      "API_KEYS_FILE",
      "HOOKS_FILE",
      "JWT_ISSUERS",
      "JWT_SECRET",
      "JWT_AUDIENCE",
      "JWT_ALGORITHMS",
      "JWT_CLAIM",
      "JWT_CHANNELS",
      "ANONYMOUS_PUBLISH",
      "ANONYMOUS_SUBSCRIBE",
      "AUTH_SECRET",
      "BROWSER_SESSION_AGE",
      "LOGIN_ISSUER",
      "LOGIN_CLIENT_ID",
      "LOGIN_CLIENT_SECRET",
      "LOGIN_SCOPES",
      "LOGIN_PUBLISH",
      "LOGIN_SUBSCRIBE",
      "MAX_CONNECTION_AGE",
      "TLS_CERT",
      "TLS_KEY",
      "TLS_CLIENT_CA",
      "CERTIFICATE_PUBLISH",
      "CERTIFICATE_SUBSCRIBE",
      "TRUSTED_PROXIES",
      "RATE_LIMITS",
      "LIMIT_CONNECTS",
      "LIMIT_PUBLISHES",
      "LIMIT_PUBLISH_BYTES",
      "LIMIT_TOOL_CALLS",
      "LIMIT_HISTORY_PAGES",
      "LIMIT_HOOK_DELIVERIES",
      "LIMIT_FAILED_CREDENTIALS",
      "LIMIT_NEW_CHANNELS",
      "LIMIT_WAITING_CALLS",
      "DISCOVERY",
      "SERVICE_NAME",
      "ADVERTISE",
      "CONSUL_TOKEN",
      "LOG_LEVEL",
      "LOG_FILE",
      "BRIDGES",
      "BRIDGES_FILE",
      "WEBHOOKS_FILE",
      "WEBHOOK_ALLOW",
      "NOTIFY_FILE",
      "TOOLS",
    ]);
  });
});
