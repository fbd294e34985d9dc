import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AddressRules, isPublic } from "../../../src/webhooks/out/address-rules.ts";

/** First, last or some address of each special range, and an address beside it that is not special. */
const SPECIAL: Readonly<Record<string, readonly string[]>> = {
  "this network": ["0.0.0.0", "0.1.2.3", "0.255.255.255"],
  "private use": ["10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255"],
  "a carrier's shared space": ["100.64.0.0", "100.127.255.255"],
  loopback: ["127.0.0.0", "127.0.0.1", "127.255.255.255", "::1"],
  "link-local, with cloud metadata": ["169.254.0.0", "169.254.169.254", "169.254.255.255", "fe80::1", "febf::1"],
  "a zone": ["fe80::1%eth0"],
  "protocol assignments": ["192.0.0.0", "192.0.0.9", "192.0.0.255", "2001::", "2001:1ff:ffff::1"],
  documentation: ["192.0.2.1", "198.51.100.1", "203.0.113.255", "2001:db8::1", "3fff::1", "3fff:fff:ffff::1"],
  "AS112, AMT and 6to4 relays": ["192.31.196.1", "192.52.193.1", "192.88.99.1", "192.175.48.1", "2620:4f:8000::1"],
  benchmarks: ["198.18.0.0", "198.19.255.255", "2001:2::1"],
  multicast: ["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"],
  "reserved and broadcast": ["240.0.0.1", "255.255.255.254", "255.255.255.255"],
  unspecified: ["::"],
  "IPv4-mapped": ["::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::FFFF:0.0.0.0"],
  "IPv4-compatible and translated": ["::127.0.0.1", "::8.8.8.8", "::ffff:0:8.8.8.8"],
  NAT64: [
    "64:ff9b::127.0.0.1",
    "64:ff9b::a00:1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::1",
    "64:ff9b:1:ffff::8.8.8.8",
  ],
  "6to4 and Teredo": ["2002:7f00:1::", "2002:808:808::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"],
  "unique local and site-local": ["fc00::1", "fd00:ec2::254", "fdff:ffff::1", "fec0::1"],
  "discard, dummy and segment routing": ["100::1", "100:0:0:1::1", "5f00::1"],
  "never assigned to hosts": ["4000::1", "8000::1", "e000::1"],
  "no address": ["", "localhost", "1.2.3", "1.2.3.4.5", ":::"],
};
const PUBLIC = [
  "1.1.1.1",
  "8.8.8.8",
  "9.255.255.255",
  "11.0.0.0",
  "100.63.255.255",
  "100.128.0.0",
  "126.255.255.255",
  "128.0.0.1",
  "169.253.255.255",
  "169.255.0.0",
  "172.15.255.255",
  "172.32.0.0",
  "192.0.1.0",
  "192.167.255.255",
  "192.169.0.0",
  "198.17.255.255",
  "198.20.0.0",
  "223.255.255.255",
  "2606:4700:4700::1111",
  "2001:4860:4860::8888",
  "2001:200::1",
  "2a00::1",
  "3ffe::1",
  "::ffff:8.8.8.8",
  "64:ff9b::8.8.8.8",
];

describe("the addresses that webhooks may go to", () => {
  for (const [range, addresses] of Object.entries(SPECIAL)) {
    it(`are not those of ${range}`, () => {
      assert.deepEqual(addresses.filter(isPublic), []);
      const rules = new AddressRules();
      assert.deepEqual(
        addresses.filter((address) => rules.mayReach(address)),
        [],
      );
    });
  }

  it("are those of hosts on the public internet, also beside a special range or inside NAT64", () => {
    assert.deepEqual(
      PUBLIC.filter((address) => !isPublic(address)),
      [],
    );
  });

  it("are those that the operator allows besides, whichever way they are written", () => {
    const rules = new AddressRules(["127.0.0.0/8", "10.1.2.3", "fd00::/8", "::1"]);
    const may = ["127.0.0.1", "::ffff:127.9.9.9", "64:ff9b::127.0.0.1", "10.1.2.3", "fd12::1", "::1", "8.8.8.8"];
    assert.deepEqual(
      may.filter((address) => !rules.mayReach(address)),
      [],
    );
    for (const address of ["10.1.2.4", "fc00::1", "169.254.169.254"]) assert.equal(rules.mayReach(address), false);
    assert.equal(rules.isAllowed("8.8.8.8"), false, "public, and not allowed by name");
  });
});
