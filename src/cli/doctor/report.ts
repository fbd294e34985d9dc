import { oneLine } from "../../protocol/text.ts";
import { proxyOf, remedyFor, type DetectedProxy, type ProxyFault } from "./remedies.ts";
import type { IncomingHttpHeaders } from "node:http";

/** What a check found. */
export interface Finding {
  readonly check: string;
  readonly verdict: "ok" | "warn" | "fail" | "skipped";
  /** What was seen, and what it means. */
  readonly sentence: string;
  /** What to change, by the program that it is changed in. */
  readonly change: Readonly<Record<string, string>>;
}

const COLUMN = 13;

/** Collects what the checks find, and hands each finding on at once. */
export class Report {
  readonly url: string;
  readonly findings: Finding[] = [];
  readonly #found: (finding: Finding) => void;
  #proxy: DetectedProxy | undefined;

  constructor(url: string, found: (finding: Finding) => void = () => {}) {
    this.url = url;
    this.#found = found;
  }

  /** The proxy that answers came through; undefined if none named itself. */
  get proxy(): DetectedProxy | undefined {
    return this.#proxy;
  }

  get failures(): number {
    return this.findings.filter(({ verdict }) => verdict === "fail").length;
  }

  /** Remembers the proxy that an answer has come through, if the answer names it. */
  detectProxy(headers: IncomingHttpHeaders): void {
    const proxy = proxyOf(headers);
    if (this.#proxy?.name === undefined) this.#proxy = proxy ?? this.#proxy;
  }

  ok(check: string, sentence: string): void {
    this.#add({ check, verdict: "ok", sentence, change: {} });
  }

  skipped(check: string, sentence: string): void {
    this.#add({ check, verdict: "skipped", sentence, change: {} });
  }

  /** What is wrong, and where that is put right: a fault of the proxy, or a setting of the hub. */
  bad(check: string, verdict: "warn" | "fail", sentence: string, remedy?: ProxyFault | { readonly hub: string }): void {
    const change = typeof remedy === "string" ? remedyFor(remedy, this.#proxy) : (remedy ?? {});
    this.#add({ check, verdict, sentence, change: { ...change } });
  }

  get json(): string {
    const { url, findings, failures } = this;
    return JSON.stringify({ url, proxy: this.#proxy?.text ?? null, passed: failures === 0, checks: findings });
  }

  get verdict(): string {
    const { findings, failures } = this;
    const through = this.#proxy === undefined ? "No proxy named itself" : `Through ${oneLine(this.#proxy.text)}`;
    const warnings = findings.filter(({ verdict }) => verdict === "warn").length;
    const result = failures === 0 ? "nothing failed" : `${failures} of ${findings.length} checks failed`;
    return `${through}: ${result}${warnings === 0 ? "" : `, ${warnings} to look at`}.\n`;
  }

  #add(finding: Finding): void {
    this.findings.push(finding);
    this.#found(finding);
  }
}

/** A finding as lines for people. */
export function linesOf({ check, verdict, sentence, change }: Finding): string {
  const lines = Object.entries(change).map(([where, what]) => `${" ".repeat(8 + COLUMN)}${where}: ${what}\n`);
  return `${verdict.padEnd(8)}${check.padEnd(COLUMN)}${oneLine(sentence)}\n${lines.join("")}`;
}
