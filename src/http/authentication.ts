import type { FastifyInstance, FastifyRequest } from "fastify";
import { checkCredential } from "../auth/authenticator.ts";
import { HubError } from "../core/errors.ts";
import { ANYONE, type Principal } from "../core/principal.ts";
import type { HttpContext } from "./context.ts";

/** Routes that are answered whoever asks, and whatever credential they present: what they say is public. */
const PUBLIC =
  /^\/(?:|chat|dashboard|docs(?:\/.*)?|guide(?:\/.*)?|llms(?:-full)?\.txt|openapi\.json|assets\/.*|client\.js(?:\.map)?|push-worker\.js|favicon\.ico|health(?:\/(?:ready|live))?|\.well-known\/.*|login(?:\/.*)?|hooks\/.*|answer\/.*|session)$/;

/** Whether a route is answered without looking at who asks. */
export function isPublic(url: string): boolean {
  return PUBLIC.test(url);
}

/** Who each request comes from, once that is known. */
const principals = new WeakMap<object, Principal>();

/** Finds out who each request comes from before its body is read. Comes before the routes. */
export function authentication(app: FastifyInstance, context: HttpContext): void {
  const { authenticator, addresses } = context;
  if (authenticator.isOpen) return;
  const authenticate = ({ raw }: FastifyRequest, _: unknown, next: (error?: Error) => void): void => {
    const known = (principal: Principal): void => {
      checkCredential(principal);
      principals.set(raw, principal);
      next();
    };
    const failed = (error: unknown): void => next(error as Error);
    try {
      const found = judged(
        () => authenticator.authenticate(raw),
        () => addresses.of(raw),
        context,
      );
      if (found instanceof Promise) found.then(known).catch(failed);
      else known(found);
    } catch (error) {
      failed(error);
    }
  };
  app.addHook("onRoute", (route) => {
    if (isPublic(route.url) || route.method === "OPTIONS") return;
    route.onRequest = [...[route.onRequest ?? []].flat(), authenticate];
  });
}

/**
 * Who `find` finds, at once if that takes no waiting. Every door looks at credentials through here: one that is not good
 * is reported, and counted for the address it comes from. Throws or rejects as `find` does, or with `RATE_LIMITED` if
 * too many from there were bad. Good ones still count: others may share the address.
 */
export function judged(
  find: () => Principal | Promise<Principal>,
  addressOf: () => string,
  context: HttpContext,
): Principal | Promise<Principal> {
  const refused = (error: unknown): never => {
    if (error instanceof HubError && error.challenge?.error === "invalid_token") {
      const address = addressOf();
      context.authenticator.refused(address, error.cause);
      context.rateLimits.admit(undefined, address, "failed_credentials");
    }
    throw error;
  };
  try {
    const found = find();
    return found instanceof Promise ? found.catch(refused) : found;
  } catch (error) {
    return refused(error);
  }
}

/** Who a request comes from. */
export function principalOf({ raw }: FastifyRequest, { authenticator }: HttpContext): Principal {
  if (authenticator.isOpen) return ANYONE;
  const principal = principals.get(raw);
  if (principal === undefined) throw new Error("a public route asks who its request comes from");
  return principal;
}
