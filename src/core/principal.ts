/** Who makes a request. */
export interface Principal {
  /** The sender of messages that do not name one. */
  readonly subject: string;
}

/** Every caller, as there is no authentication: anyone who can reach the server may read and publish everything. */
export const ANYONE: Principal = { subject: "anyone" };
