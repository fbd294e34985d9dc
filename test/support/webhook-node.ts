import { SYSTEM_CLOCK } from "../../src/webhooks/out/clock.ts";
import { WebhookRig } from "./webhook-rig.ts";

// A node that sends the webhooks of the hub on the Redis that its first argument names, until it is killed.
const [, , data = ""] = process.argv;
await WebhookRig.open({ data, lease: 900, clock: SYSTEM_CLOCK });
process.stdout.write("open\n");
setInterval(() => {}, 60_000);
