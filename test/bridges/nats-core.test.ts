import { needsNats, startNats } from "../support/buses/nats.ts";
import { describeBridge } from "./bridge.suite.ts";

describeBridge("a bridge to subjects of NATS", {
  needs: needsNats,
  start: () => startNats({ isCore: true }),
  prefix: "ce-",
  isDurable: false,
});
