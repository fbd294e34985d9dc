import type { FastifyInstance, FastifyRequest } from "fastify";
import { checkCredential } from "../auth/authenticator.ts";
import { HubError } from "../core/errors.ts";
import { ANYONE, type Principal } from "../core/principal.ts";
import type { HttpContext } from "./context.ts";

/** Routes that are answered whoever asks, and whatever credential they present: what they say is public. */
const PUBLIC =
  /^\/(?:|chat|dashboard|docs(?:\/.*)?|openapi\.json|assets\/.*|client\.js(?:\.map)?|favicon\.ico|health(?:\/live)?|\.well-known\/.*|login(?:\/.*)?|session)$/;

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
  const authenticate = (request: FastifyRequest, _: unknown, next: (error?: Error) => void): void => {
    const known = (principal: Principal): void => {
      checkCredential(principal);
      principals.set(request.raw, principal);
      next();
    };
    const refused = (error: unknown): void =>
      next(refusedCredential(error, addresses.of(request.raw), context) as Error);
    try {
      const found = authenticator.authenticate(request.raw);
      if (found instanceof Promise) found.then(known).catch(refused);
      else known(found);
    } catch (error) {
      refused(error);
    }
  };
  app.addHook("onRoute", (route) => {
    if (isPublic(route.url) || route.method === "OPTIONS") return;
    route.onRequest = [...[route.onRequest ?? []].flat(), authenticate];
  });
}

/**
 * What is answered in place of an error of a credential: itself, or `RATE_LIMITED` if too many credentials from that
 * address were bad. Good ones still count: others may share the address.
 */
export function refusedCredential(error: unknown, address: string, { rateLimits }: HttpContext): unknown {
  if (!(error instanceof HubError) || error.challenge?.error !== "invalid_token") return error;
  try {
    rateLimits.admit(undefined, address, "failed_credentials");
    return error;
  } catch (limited) {
    return limited;
  }
}

/** Who a request comes from. */
export function principalOf({ raw }: FastifyRequest, { authenticator }: HttpContext): Principal {
  if (authenticator.isOpen) return ANYONE;
  const principal = principals.get(raw);
  if (principal === undefined) throw new Error("a public route asks who its request comes from");
  return principal;
}
