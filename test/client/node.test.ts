import { describe, it } from "node:test";
import * as client from "../../src/client/index.ts";
import { HubRig } from "../support/hub-rig.ts";
import { behaviours, WAYS } from "./behaviours.ts";

describe("in Node", { concurrency: 8 }, () => {
  for (const { name, transport, share } of WAYS) {
    for (const behaviour of behaviours) {
      it(`the client over ${name} ${behaviour.title}`, { timeout: 30_000 }, async () => {
        // Other tests of the client read streams that are not compressed.
        await using rig = await HubRig.open({ compressStreams: true, ...behaviour.config });
        await behaviour.run({ client, transport, share, url: rig.front.url, hub: rig.control });
      });
    }
  }
});
