import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ClientAddresses } from "../../src/ops/client-address.ts";

function address(
  trusted: readonly string[],
  remoteAddress: string | undefined,
  headers: Record<string, string>,
): string {
  return new ClientAddresses(trusted).of({ socket: { remoteAddress }, headers });
}

describe("the address of a client", () => {
  const proxies = ["10.0.0.0/8", "::1", "2001:db8::/32"];

  it("is that of the peer, whatever it claims, unless the peer is a trusted proxy", () => {
    const forged = { "x-forwarded-for": "192.0.2.7", forwarded: "for=192.0.2.8" };
    assert.equal(address([], "10.1.1.1", forged), "10.1.1.1");
    assert.equal(address(proxies, "198.51.100.1", forged), "198.51.100.1");
    assert.equal(address(proxies, "10.1.1.1", {}), "10.1.1.1");
    assert.equal(address(proxies, undefined, forged), "");
  });

  it("is the last hop from the right that is no trusted proxy: what a client puts before it counts for nothing", () => {
    const hops = { "x-forwarded-for": "203.0.113.9, 192.0.2.7, 10.2.2.2" };
    assert.equal(address(proxies, "10.1.1.1", hops), "192.0.2.7");
    assert.equal(address(proxies, "::ffff:10.1.1.1", hops), "192.0.2.7");
    assert.equal(address(proxies, "::1", { "x-forwarded-for": "10.3.3.3" }), "10.3.3.3");
    assert.equal(address(proxies, "10.1.1.1", { "x-forwarded-for": "192.0.2.7, unknown" }), "10.1.1.1");
    assert.equal(address(proxies, "10.1.1.1", { "x-forwarded-for": `${"x,".repeat(10_000)}192.0.2.7` }), "192.0.2.7");
  });

  it("is read with a port, in brackets, mapped, and by its /64 network", () => {
    const of = (hop: string): string => address(proxies, "10.1.1.1", { "x-forwarded-for": hop });
    assert.equal(of("192.0.2.7:1234"), "192.0.2.7");
    assert.equal(of("::ffff:192.0.2.7"), "192.0.2.7");
    assert.equal(of("[2a01:1:2:3::9]:443"), of("2a01:0001:2:3:ffff::1"));
    assert.notEqual(of("2a01:1:2:3::9"), of("2a01:1:2:4::9"));
  });

  it("is read from Forwarded if there is no X-Forwarded-For", () => {
    const of = (forwarded: string): string => address(proxies, "10.1.1.1", { forwarded });
    assert.equal(of("for=203.0.113.9, for=192.0.2.7;proto=https, for=10.2.2.2"), "192.0.2.7");
    assert.equal(of('by=10.1.1.1;For="[2a01:1:2:3::9]:47"'), "2a01:1:2:3::/64");
    assert.equal(of("for=_hidden"), "10.1.1.1");
  });

  it("is that of the proxy if X-Forwarded-For and Forwarded disagree: a client may have sent one of them", () => {
    const of = (list: string, forwarded: string): string =>
      address(proxies, "10.1.1.1", { "x-forwarded-for": list, forwarded });
    assert.equal(of("192.0.2.7", "for=192.0.2.8"), "10.1.1.1");
    assert.equal(of("192.0.2.7", "for=unknown"), "10.1.1.1");
    assert.equal(of("192.0.2.7", ""), "10.1.1.1");
    assert.equal(of("203.0.113.9, 192.0.2.7", 'for="192.0.2.7:80", for=10.2.2.2'), "192.0.2.7");
    assert.equal(of("2a01:1:2:3::9", 'for="[2a01:1:2:3::9]"'), "2a01:1:2:3::/64");
  });
});
