import type { FastifyInstance } from "fastify";

/** Which methods each path has, so that a wrong one is told apart from a wrong path. */
export class Methods {
  readonly #routes: { readonly path: RegExp; readonly methods: readonly string[] }[] = [];

  /** Notes every route that is added to an app from now on. */
  constructor(app: FastifyInstance) {
    app.addHook("onRoute", ({ method, url }) => {
      const path = new RegExp(`^${url.replace(/[.]/g, "\\.").replace(/:\w+/g, "[^/]+").replace(/\*/g, ".*")}$`);
      this.#routes.push({ path, methods: [method].flat() });
    });
  }

  /** The methods of a path; none where there is no such path. */
  of(url: string): readonly string[] {
    const [given = ""] = url.split("?", 1);
    const path = given === "/" ? given : given.replace(/\/$/, "");
    const methods = this.#routes.filter((route) => route.path.test(path)).flatMap((route) => route.methods);
    return [...new Set(methods)].filter((method) => method !== "OPTIONS").sort();
  }
}
