/** Milliseconds between renderings while no one sees the page: then there are no frames. */
const UNSEEN = 250;

/** Renders with the next frame, once for all that changes until then. */
export class RenderSoon {
  readonly #render: () => void;
  #cancel: (() => void) | undefined;

  constructor(render: () => void) {
    this.#render = render;
    document.addEventListener("visibilitychange", () => {
      this.#cancel?.();
      this.request();
    });
  }

  /** Renders before anything else happens: the person may type or click again before there is a frame. */
  now(): void {
    this.#cancel?.();
    this.#render();
  }

  request(): void {
    if (this.#cancel !== undefined) return;
    const render = (): void => {
      this.#cancel = undefined;
      this.#render();
    };
    const due = document.hidden ? setTimeout(render, UNSEEN) : requestAnimationFrame(render);
    this.#cancel = () => {
      clearTimeout(due);
      cancelAnimationFrame(due);
      this.#cancel = undefined;
    };
  }
}
