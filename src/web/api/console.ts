/** As much of OpenAPI as this page reads. */
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

interface Operation {
  readonly parameters?: readonly { readonly required: boolean; readonly example?: unknown }[];
}

/** Shows a document where its options say. */
type SwaggerUi = (options: Readonly<Record<string, unknown>>) => void;

declare global {
  /** Keeps the bundle from following the links of the page in the place of the browser. */
  var noZensmooth: boolean | undefined;
  /** What swagger-ui-bundle.js makes. */
  var SwaggerUIBundle: (SwaggerUi & { readonly presets: { readonly apis: unknown } }) | undefined;
}

let opened: Promise<void> | undefined;

/** Loads Swagger UI, once, and shows in `place` what the server documents; `state` says how far it is. */
export function openConsole(place: HTMLElement, state: HTMLElement): void {
  opened ??= begin(place, state).catch((error: unknown) => {
    opened = undefined;
    const reason = error instanceof Error ? error.message : String(error);
    state.textContent = `The console cannot be shown: ${reason}. Go back and try again.`;
  });
}

async function begin(place: HTMLElement, state: HTMLElement): Promise<void> {
  state.textContent = "Loading the console…";
  const { script = "", style = "" } = place.dataset;
  globalThis.noZensmooth = true;
  const [spec] = await Promise.all([load(), arrival(scriptOf(script)), arrival(styleOf(style))]);
  const { SwaggerUIBundle: swaggerUi } = globalThis;
  if (swaggerUi === undefined) throw new Error("Swagger UI did not arrive");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const colour = (): unknown => document.documentElement.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", colour);
  colour();
  swaggerUi({
    // A proxy may have put the server under a path.
    spec: { ...asked(spec), servers: [{ url: new URL(".", location.href).href.replace(/\/$/, "") }] },
    domNode: place,
    onComplete: () => (state.textContent = ""),
    presets: [swaggerUi.presets.apis],
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: -1,
    validatorUrl: null,
  });
}

async function load(): Promise<Document> {
  const response = await fetch("openapi.json");
  if (!response.ok) throw new Error(`openapi.json is answered ${response.status}`);
  return (await response.json()) as Document;
}

/** The document without the examples of what may be left out, which Swagger UI would send. */
function asked(spec: Document): Document {
  const paths = Object.entries(spec.paths).map(([path, methods]) => {
    const operations = Object.entries(methods).map(([method, operation]) => [method, withoutOptional(operation)]);
    return [path, Object.fromEntries(operations)];
  });
  return { ...spec, paths: Object.fromEntries(paths) };
}

function withoutOptional(operation: Operation): Operation {
  if (operation.parameters === undefined) return operation;
  const parameters = operation.parameters.map(({ example, ...parameter }) =>
    parameter.required ? { ...parameter, example } : parameter,
  );
  return { ...operation, parameters };
}

function scriptOf(src: string): HTMLScriptElement {
  return Object.assign(document.createElement("script"), { src });
}

function styleOf(href: string): HTMLLinkElement {
  return Object.assign(document.createElement("link"), { rel: "stylesheet", href });
}

/** Has the browser load a script or a style; resolves when it is there. */
function arrival(element: HTMLScriptElement | HTMLLinkElement): Promise<void> {
  return new Promise((resolve, reject) => {
    element.addEventListener("load", () => resolve());
    element.addEventListener("error", () => {
      element.remove();
      reject(new Error("Swagger UI did not arrive"));
    });
    // The styles of this page, which change some of Swagger UI's, stay the last.
    const last = document.head.querySelector("link[rel=stylesheet]:last-of-type");
    if (element instanceof HTMLLinkElement && last !== null) last.before(element);
    else document.head.append(element);
  });
}
