import { connect } from "node:net";
import type { Socket } from "node:net";
import { requestHead } from "./load/connect.ts";
import type { Address } from "./load/plan.ts";

/** Connections that end after a while, some of them before the server has answered. */
export class ChurningReaders {
  made = 0;
  readonly #address: Address;
  readonly #sockets = new Set<Socket>();

  constructor(port: number) {
    this.#address = { secure: false, host: "127.0.0.1", name: "127.0.0.1", port };
  }

  add(count: number, life: number): void {
    for (let i = 0; i < count; i += 1) this.#open(Number.isFinite(life) ? this.#lifeOf(life) : undefined);
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #lifeOf(longest: number): number {
    return this.made % 5 === 0 ? 1 : Math.random() * longest;
  }

  #open(life: number | undefined): void {
    const upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
    const fields = [...upgrade, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="];
    const request =
      this.made % 2 === 0
        ? requestHead("GET", "/events?channel=churn", this.#address, ["Accept: text/event-stream"])
        : requestHead("GET", "/ws?channel=churn", this.#address, fields);
    this.made += 1;
    const socket = connect(this.#address.port, this.#address.host);
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#sockets.delete(socket));
    socket.resume();
    socket.write(request);
    if (life !== undefined) setTimeout(() => socket.destroy(), life);
  }
}
