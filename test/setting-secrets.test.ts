import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { ConfigError } from "../src/core/errors.ts";
import { expandAllSecrets, expandSecrets } from "../src/setting-secrets.ts";
import { TemporaryFolder } from "./support/temporary-folder.ts";

describe("a secret in a configuration", () => {
  it("is a variable of the environment, or the content of a file without its last line break", () => {
    using folder = new TemporaryFolder();
    writeFileSync(folder.file("secret"), "two\nlines\n");
    const value = { a: ["x ${env:ONE} ${env:ONE}", 1, null], b: `\${file:${folder.file("secret")}}`, c: "${topic}" };
    assert.deepEqual(expandAllSecrets(value, "bridges", { ONE: "1" }), {
      a: ["x 1 1", 1, null],
      b: "two\nlines",
      c: "${topic}",
    });
  });

  it("that is missing is an error that names the field and the place", () => {
    const wrong = (text: string, message: RegExp): void =>
      assert.throws(
        () => expandSecrets(text, "bridges[0].connection", { EMPTY: "" }),
        (error) => error instanceof ConfigError && message.test(error.message),
      );
    wrong(
      "${env:NONE}",
      /^bridges\[0\]\.connection uses \$\{env:NONE\}, and the environment variable NONE is not set$/,
    );
    wrong("${env:EMPTY}", /EMPTY is empty$/);
    wrong("${file:/none/x}", /uses \$\{file:\/none\/x\}, which cannot be read: ENOENT/);
  });
});
