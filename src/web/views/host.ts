/** The revision of MCP Apps that the views speak (SEP-1865). */
const REVISION = "2026-01-26";
/** Milliseconds after which a request to the host has failed: longer than a tool waits. */
const PATIENCE = 90_000;

export type JsonObject = Readonly<Record<string, unknown>>;

/** What the host says about the call of a tool that a view belongs to. */
export interface HostEvents {
  /** The arguments of the call, before its result. */
  readonly input: (input: JsonObject) => void;
  /** Its result as data; undefined if it failed or was cancelled. */
  readonly result: (result: JsonObject | undefined) => void;
}

interface Waiting {
  readonly resolve: (result: JsonObject) => void;
  readonly reject: (error: Error) => void;
}

/** The program that shows a view, in a frame without network: it passes calls of tools on to the server. */
export class Host {
  /** What it can do for a view. */
  capabilities: JsonObject = {};
  /** Set once it is about to take the view away. */
  isOver = false;
  readonly #events: HostEvents;
  readonly #waiting = new Map<number, Waiting>();
  #ids = 0;

  constructor(events: HostEvents) {
    this.#events = events;
    addEventListener("message", ({ source, data }) => {
      // Other windows can post, too.
      if (source === parent && isObject(data) && data["jsonrpc"] === "2.0") this.#take(data);
    });
  }

  /** Introduces the view. From then on it follows the look of the host, and tells it how high it is. */
  async open(name: string): Promise<void> {
    const { hostCapabilities, hostContext } = await this.#ask("ui/initialize", {
      protocolVersion: REVISION,
      appInfo: { name, version: "1" },
      appCapabilities: { availableDisplayModes: ["inline"] },
    });
    this.capabilities = isObject(hostCapabilities) ? hostCapabilities : {};
    follow(hostContext);
    this.#post({ method: "ui/notifications/initialized", params: {} });
    new ResizeObserver(() => {
      const height = Math.ceil(document.documentElement.getBoundingClientRect().height);
      this.#post({ method: "ui/notifications/size-changed", params: { width: innerWidth, height } });
    }).observe(document.documentElement);
  }

  /** Calls a tool of the server, and resolves with the data of its result. Rejects with a sentence for the person. */
  async call(name: string, input: JsonObject): Promise<JsonObject> {
    const { isError, content, structuredContent } = await this.#ask("tools/call", { name, arguments: input });
    const [first] = Array.isArray(content) ? (content as readonly unknown[]) : [];
    const text = isObject(first) && typeof first["text"] === "string" ? first["text"] : "The server refused";
    // It begins with the name of the tool.
    if (isError === true) throw new Error(text.replace(/^\w+: /, ""));
    return isObject(structuredContent) ? structuredContent : {};
  }

  /** Tells the model what the person did, as far as the host allows it. */
  async tell(text: string): Promise<void> {
    const content = [{ type: "text", text }];
    if ("message" in this.capabilities) await this.#ask("ui/message", { role: "user", content });
    else if ("updateModelContext" in this.capabilities) await this.#ask("ui/update-model-context", { content });
  }

  /** Opens an address outside of the frame. */
  async openLink(url: string): Promise<void> {
    await this.#ask("ui/open-link", { url });
  }

  #take({ id, method, params, result, error }: JsonObject): void {
    const given = isObject(params) ? params : {};
    switch (method) {
      case undefined: {
        const waiting = this.#waiting.get(id as number);
        this.#waiting.delete(id as number);
        if (isObject(error)) waiting?.reject(new Error(String(error["message"])));
        else waiting?.resolve(isObject(result) ? result : {});
        return;
      }
      case "ui/notifications/tool-input":
        return this.#events.input(isObject(given["arguments"]) ? given["arguments"] : {});
      case "ui/notifications/tool-result": {
        const { isError, structuredContent } = given;
        return this.#events.result(isError !== true && isObject(structuredContent) ? structuredContent : undefined);
      }
      case "ui/notifications/tool-cancelled":
        return this.#events.result(undefined);
      case "ui/notifications/host-context-changed":
        return follow(given);
      case "ui/resource-teardown":
        this.isOver = true;
        return this.#post({ id, result: {} });
      case "ping":
        return this.#post({ id, result: {} });
      default:
        if (id !== undefined) this.#post({ id, error: { code: -32601, message: `Unknown method: ${String(method)}` } });
    }
  }

  #ask(method: string, params: JsonObject): Promise<JsonObject> {
    const id = ++this.#ids;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      setTimeout(() => {
        if (this.#waiting.delete(id)) reject(new Error("The program that shows this does not answer"));
      }, PATIENCE);
      this.#post({ id, method, params });
    });
  }

  #post(message: JsonObject): void {
    // A view does not know the origin of its host, and there is only one parent.
    parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
  }
}

/** Takes the look of the host over, as far as it says. */
function follow(context: unknown): void {
  if (!isObject(context)) return;
  const { theme, styles } = context;
  const { style } = document.documentElement;
  if (theme === "light" || theme === "dark") style.colorScheme = theme;
  const variables = isObject(styles) && isObject(styles["variables"]) ? styles["variables"] : {};
  for (const [name, value] of Object.entries(variables)) {
    if (/^--[a-z0-9-]+$/.test(name) && typeof value === "string") style.setProperty(name, value);
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
