import type { FastifyInstance, FastifyReply } from "fastify";
import { pathOf } from "../auth/login.ts";
import { asHubError, RETRY_AFTER } from "./problem-details.ts";
import type { HttpContext } from "./context.ts";
import { loginEndedPage } from "./pages.ts";
import { logFields } from "./request-id.ts";

const HTML = { "content-type": "text/html; charset=utf-8", "cache-control": "no-store" };

/** `/login/start` and `/login/callback`: the way to the identity provider and back. `/login` itself is a page. */
export function login(app: FastifyInstance, { login: provider, sessions, limits, basePath }: HttpContext): void {
  const failed = (reply: FastifyReply, error: unknown, next: string): FastifyReply => {
    const known = asHubError(error, limits.body);
    if (known.code === "INTERNAL") app.log.error(logFields(error, reply.request), "a login failed");
    if (known.retry) reply.header("retry-after", String(RETRY_AFTER));
    const page = loginEndedPage("failed", { sentence: known.message, next: encodeURIComponent(next), base: "../" });
    return reply.headers(HTML).status(known.status).send(page);
  };
  const schema = { hide: true };

  app.get("/login/start", { schema }, async (request, reply) => {
    const next = pathOf(new URL(request.url, "http://localhost").searchParams.get("next") ?? "", basePath);
    if (provider === undefined) return reply.redirect(`../login?next=${encodeURIComponent(next)}`);
    const { host } = new URL(provider.publicUrl);
    // The provider sends people back to that name, and cookies are kept by name.
    if (request.headers.host !== host) {
      return reply.redirect(`${provider.publicUrl}/login/start?next=${encodeURIComponent(next)}`);
    }
    try {
      const { url, cookie } = await provider.start(next);
      return await reply.headers({ "cache-control": "no-store", "set-cookie": cookie }).redirect(url);
    } catch (error) {
      return failed(reply, error, next);
    }
  });

  app.get("/login/callback", { schema }, async ({ raw }, reply) => {
    if (provider === undefined || sessions === undefined) return reply.redirect("../login");
    try {
      const { principal, next } = await provider.finish(raw);
      const { cookie } = sessions.begin(principal);
      // From here on the browser sends the cookie: it was sent here by another site, and this page sends it on.
      reply.headers({ ...HTML, "set-cookie": [cookie, provider.end] });
      return await reply.send(loginEndedPage("done", { next, base: "../", name: principal.subject }));
    } catch (error) {
      reply.header("set-cookie", provider.end);
      return failed(reply, error, pathOf("", basePath));
    }
  });
}
