import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "../support/properties.ts";
import { channelName, channelPattern } from "../../src/core/channel.ts";
import { HubError } from "../../src/core/errors.ts";
import {
  ANYONE,
  anonymous,
  checkSubscribe,
  mayPublish,
  maySubscribe,
  readable,
  type Principal,
} from "../../src/core/principal.ts";
import { covers, uncovered, type ChannelName, type ChannelPattern } from "../../src/protocol/channel.ts";

const word = fc.constantFrom("a", "b", "a-b", "A");
const name = fc.array(word, { minLength: 1, maxLength: 3 }).map((words) => channelName(words.join(".")));
const pattern = fc.oneof(
  name,
  name.map((text) => channelPattern(`${text}.*`)),
  fc.constant(channelPattern("*")),
) as fc.Arbitrary<ChannelPattern>;
const patterns = fc.array(pattern, { maxLength: 4 });

function holder(grants: { publish?: readonly ChannelPattern[]; subscribe?: readonly ChannelPattern[] }): Principal {
  const { publish = [], subscribe = [] } = grants;
  return { ...anonymous({ publish, subscribe, admin: false }), kind: "key", subject: "holder", sendAs: false };
}

describe("grants", () => {
  it("allow to publish and to read a channel exactly if one of the patterns covers it", () => {
    fc.assert(
      fc.property(patterns, name, (granted, channel) => {
        const isCovered = granted.some((one) => covers(one, channel));
        assert.equal(mayPublish(holder({ publish: granted }), channel), isCovered);
        assert.equal(maySubscribe(holder({ subscribe: granted }), channel), isCovered);
      }),
    );
  });

  it("allow to read a pattern only if they allow to read every channel it covers", () => {
    fc.assert(
      fc.property(patterns, pattern, name, (granted, asked, channel) => {
        const principal = holder({ subscribe: granted });
        if (maySubscribe(principal, asked) && covers(asked, channel)) assert.ok(maySubscribe(principal, channel));
      }),
    );
  });

  it("leave of a pattern exactly the channels of it that may be read, in order", () => {
    fc.assert(
      fc.property(patterns, pattern, name, (granted, asked, channel) => {
        const principal = holder({ subscribe: granted });
        const left = readable(principal, asked);
        assert.deepEqual(left, uncovered(left));
        const isLeft = left.some((one) => covers(one, channel));
        assert.equal(isLeft, covers(asked, channel) && maySubscribe(principal, channel));
      }),
    );
  });

  it("of every channel do not cover the server's own, which are for admins", () => {
    const everything = holder({ publish: [channelPattern("*")], subscribe: [channelPattern("*")] });
    for (const own of ["hub.stats", "hub.logs", "hub.audit", "hub.hooks", "hub.bridges", "hub.presence"]) {
      assert.equal(maySubscribe(everything, channelPattern(own)), false, own);
      assert.equal(maySubscribe({ ...everything, admin: true }, channelPattern(own)), true, own);
    }
    assert.equal(maySubscribe(everything, channelPattern("hub.presence.orders")), true);
    const orders = holder({ subscribe: [channelPattern("orders")] });
    assert.equal(mayPublish(orders, "hub.presence.orders" as ChannelName), true);
    assert.equal(mayPublish(orders, "hub.presence.secret" as ChannelName), false);
    assert.equal(mayPublish(everything, "hub.stats" as ChannelName), false);
  });

  it("are refused with what would do: a credential to someone without one, another one to who has one", () => {
    const asked = [channelPattern("orders"), channelPattern("secret")];
    const code = (principal: Principal): string | undefined => {
      try {
        checkSubscribe(principal, asked);
      } catch (error) {
        return error instanceof HubError ? `${error.code} ${error.message}` : String(error);
      }
      return undefined;
    };
    const stranger = anonymous({ publish: [], subscribe: [channelPattern("orders")], admin: false });
    assert.match(code(stranger) ?? "", /^UNAUTHENTICATED Without a credential you may not read "secret"/);
    assert.match(code({ ...stranger, kind: "key" }) ?? "", /^FORBIDDEN This credential may not read "secret"/);
    assert.equal(code(ANYONE), undefined);
  });
});
