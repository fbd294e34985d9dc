import { execFileSync } from "node:child_process";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SecureContextOptions } from "node:tls";

/** A certificate authority of its own in a folder, and what it signs: made by OpenSSL. */
export class Authority {
  readonly folder: string;
  readonly name: string;

  constructor(folder: string, name = "ca") {
    this.folder = folder;
    this.name = name;
    const days = ["-days", "2", "-subj", `/CN=${name}`, "-addext", "basicConstraints=critical,CA:TRUE"];
    openssl(["req", "-x509", ...KEY, "-keyout", this.path(`${name}.key`), "-out", this.file, ...days]);
  }

  /** The PEM file of its own certificate. */
  get file(): string {
    return this.path(`${this.name}.pem`);
  }

  get pem(): string {
    return readFileSync(this.file, "utf8");
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Writes `NAME.pem` and `NAME.key` for a subject such as `/CN=billing`; `alternative` as OpenSSL writes it. */
  sign(name: string, subject: string, alternative?: string, days = "2"): SecureContextOptions {
    const request = this.path(`${name}.csr`);
    openssl(["req", "-new", ...KEY, "-keyout", this.path(`${name}.key`), "-out", request, "-subj", subject]);
    const extensions = this.path(`${name}.ext`);
    writeFileSync(extensions, alternative === undefined ? "" : `subjectAltName=${alternative}\n`);
    const signer = ["-CA", this.file, "-CAkey", this.path(`${this.name}.key`), "-CAcreateserial"];
    const out = ["-out", this.path(`${name}.pem`), "-days", days, "-extfile", extensions];
    openssl(["x509", "-req", "-in", request, ...signer, ...out]);
    return { cert: readFileSync(this.path(`${name}.pem`)), key: readFileSync(this.path(`${name}.key`)) };
  }

  /** A server's certificate for loopback; as settings. */
  server(name = "server"): { readonly tlsCert: string; readonly tlsKey: string } {
    this.sign(name, `/CN=${name}`, "IP:127.0.0.1,DNS:localhost,DNS:hub.example");
    return { tlsCert: this.path(`${name}.pem`), tlsKey: this.path(`${name}.key`) };
  }

  /** Puts one pair of files in the place of another, one after the other. */
  replace(name: string, by: string): void {
    for (const ending of ["pem", "key"]) copyFileSync(this.path(`${by}.${ending}`), this.path(`${name}.${ending}`));
  }
}

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

function openssl(words: readonly string[]): void {
  execFileSync("openssl", words, { stdio: "pipe" });
}
