/** Somewhere that clients connect to: a node, or the balancer before all of them. */
export interface Place {
  readonly name: string;
  readonly url: string;
}
