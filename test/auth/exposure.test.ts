import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KeyRing } from "../support/keys.ts";
import { startServer } from "../support/server.ts";

describe("a server on loopback that asks for no credential", () => {
  for (const [name, settings] of Object.entries({
    TRUSTED_PROXIES: { trustedProxies: ["127.0.0.1"] },
    PUBLIC_URL: { publicUrl: "https://hub.example" },
  })) {
    it(`does not start if ${name} says that others reach it through a proxy, unless AUTH is none`, async () => {
      await assert.rejects(
        startServer(settings),
        new RegExp(`^Error: ${name} is set, .*API_KEYS_FILE.*JWT_ISSUERS.*AUTH=none`),
      );
      await using _ = await startServer({ ...settings, auth: "none" });
      using keys = new KeyRing();
      await using __ = await startServer({ ...settings, apiKeysFile: keys.path });
    });
  }

  it("starts with a PUBLIC_URL on loopback", async () => {
    for (const publicUrl of ["http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000"]) {
      await using _ = await startServer({ publicUrl });
    }
  });
});
