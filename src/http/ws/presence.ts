import { PRESENCE_EVENT } from "../../core/announced-names.ts";
import { identityOf } from "../../core/attendance.ts";
import type { Attendee, Leave, Participants, Presence } from "../../core/participants.ts";
import type { Principal } from "../../core/principal.ts";
import type { Subscription } from "../../core/subscription.ts";
import { isPresenceChannel } from "../../protocol/channel.ts";
import type { ParticipantKind } from "../../protocol/participant.ts";
import type { CallOrigin } from "../context.ts";
import type { PublishFrame } from "./publish.ts";

/** The client of a WebSocket among the participants; one that only looks on is not listed. */
export class WsPresence implements CallOrigin {
  readonly client: string | undefined;
  readonly #participants: Participants;
  readonly #kind: ParticipantKind;
  /** Undefined until it reads, and if it only looks on. */
  #attendee: Attendee | undefined;
  #leave: Leave = () => {};

  /** `client` is what it calls itself. */
  constructor(participants: Participants, kind: ParticipantKind, client: string | undefined) {
    this.#participants = participants;
    this.#kind = kind;
    this.client = client;
  }

  get presence(): Presence | undefined {
    return this.#attendee;
  }

  begin(principal: Principal, subscription: Subscription): void {
    if (subscription.watches) return;
    this.#attendee = this.#participants.attendee(identityOf(principal, this.#kind), () => subscription.channels);
    this.#leave = this.#attendee.connect();
  }

  /** It reads other channels. */
  changed(): void {
    this.#attendee?.changed();
  }

  /** Whoever has no credential is listed by the name under which they announce their presence. */
  published({ channel, event, sender }: PublishFrame, principal: Principal): void {
    if (event === PRESENCE_EVENT && isPresenceChannel(channel)) this.identify(principal, sender);
  }

  /** It has another credential, or another name. */
  identify(principal: Principal, name?: string): void {
    if (this.#attendee !== undefined) this.#attendee.identity = identityOf(principal, this.#kind, name);
  }

  end(): void {
    this.#leave();
  }
}
