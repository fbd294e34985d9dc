/** Who asks. */
export interface Principal {
  /** What they are called as senders of messages that name none. */
  readonly subject: string;
}

/** Everyone, while there is no authentication: whoever reaches the server may read and publish everything. */
export const ANYONE: Principal = { subject: "anyone" };
