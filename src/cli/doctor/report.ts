import { oneLine } from "../../protocol/text.ts";
import { proxyOf, remedyFor, type DetectedProxy, type ProxyFault } from "./remedies.ts";
import type { IncomingHttpHeaders } from "node:http";

/** What a check found. */
export interface CheckResult {
  readonly name: string;
  readonly status: CheckStatus;
  /** What was seen, and what it means. */
  readonly message: string;
  /** What to change, by the program that it is changed in. */
  readonly fix: Readonly<Record<string, string>>;
}

type CheckStatus = "ok" | "warn" | "fail" | "skipped";

const COLUMN = 13;

/** Collects what the checks find, and hands each result on at once. */
export class Report {
  readonly url: string;
  readonly checks: CheckResult[] = [];
  readonly #found: (result: CheckResult) => void;
  #proxy: DetectedProxy | undefined;

  constructor(url: string, found: (result: CheckResult) => void = () => {}) {
    this.url = url;
    this.#found = found;
  }

  /** The proxy that answers came through; undefined if none named itself. */
  get proxy(): DetectedProxy | undefined {
    return this.#proxy;
  }

  get failures(): number {
    return this.checks.filter(({ status }) => status === "fail").length;
  }

  /** Remembers the proxy that an answer has come through, if the answer names it. */
  detectProxy(headers: IncomingHttpHeaders): void {
    const proxy = proxyOf(headers);
    if (this.#proxy?.name === undefined) this.#proxy = proxy ?? this.#proxy;
  }

  ok(name: string, message: string): void {
    this.#add({ name, status: "ok", message, fix: {} });
  }

  skipped(name: string, message: string): void {
    this.#add({ name, status: "skipped", message, fix: {} });
  }

  /** What is wrong, and where that is put right: a fault of the proxy, or a setting of the hub. */
  bad(name: string, status: "warn" | "fail", message: string, remedy?: ProxyFault | { readonly hub: string }): void {
    const fix = typeof remedy === "string" ? remedyFor(remedy, this.#proxy) : (remedy ?? {});
    this.#add({ name, status, message, fix: { ...fix } });
  }

  get json(): string {
    const { url, checks, failures } = this;
    return JSON.stringify({ url, proxy: this.#proxy?.text ?? null, passed: failures === 0, checks });
  }

  /** The line at the end, for people. */
  get summary(): string {
    const { checks, failures } = this;
    const through = this.#proxy === undefined ? "No proxy was seen on the way" : `Through ${oneLine(this.#proxy.text)}`;
    const warnings = checks.filter(({ status }) => status === "warn").length;
    const result = failures === 0 ? "nothing failed" : `${failures} of ${checks.length} checks failed`;
    return `${through}: ${result}${warnings === 0 ? "" : `, ${warnings} to look at`}.\n`;
  }

  #add(result: CheckResult): void {
    this.checks.push(result);
    this.#found(result);
  }
}

/** A result as lines for people. */
export function linesOf({ name, status, message, fix }: CheckResult): string {
  const lines = Object.entries(fix).map(([where, what]) => `${" ".repeat(8 + COLUMN)}${where}: ${what}\n`);
  return `${status.padEnd(8)}${name.padEnd(COLUMN)}${oneLine(message)}\n${lines.join("")}`;
}
