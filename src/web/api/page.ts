/** As much of OpenAPI as this page reads. */
interface Document {
  readonly servers?: readonly { readonly url: string }[];
}

/** Shows a document where its options say. */
export type SwaggerUi = (options: Readonly<Record<string, unknown>>) => void;

declare global {
  /** What swagger-ui-bundle.js makes. */
  var SwaggerUIBundle: (SwaggerUi & { readonly presets: { readonly apis: unknown } }) | undefined;
}

const loading = load();
// The bundle runs after this module and before this event.
addEventListener("DOMContentLoaded", () => void show());

/** Asks for the document while the bundle is still on its way. */
async function load(): Promise<Document> {
  const response = await fetch("openapi.json");
  if (!response.ok) throw new Error(`openapi.json is answered ${response.status}`);
  return (await response.json()) as Document;
}

/** Shows the document where the page has room for it, or says why it does not. */
async function show(): Promise<void> {
  const place = document.getElementById("api") as HTMLElement;
  try {
    const spec = await loading;
    const { SwaggerUIBundle: swaggerUi } = globalThis;
    if (swaggerUi === undefined) throw new Error("Swagger UI did not arrive");
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const colour = (): unknown => document.documentElement.classList.toggle("dark-mode", dark.matches);
    dark.addEventListener("change", colour);
    colour();
    // What the page shows until then stays until everything is there.
    const full = document.createElement("div");
    swaggerUi({
      // A proxy may have put the server under a path.
      spec: { ...spec, servers: [{ url: new URL(".", location.href).href.replace(/\/$/, "") }] },
      domNode: full,
      onComplete: () => place.replaceChildren(full),
      presets: [swaggerUi.presets.apis],
      deepLinking: true,
      docExpansion: "list",
      defaultModelsExpandDepth: -1,
      validatorUrl: null,
    });
  } catch (error) {
    const sentence = document.createElement("p");
    sentence.setAttribute("role", "alert");
    sentence.textContent = `The API cannot be shown: ${error instanceof Error ? error.message : String(error)}. Try again.`;
    place.replaceChildren(sentence);
  }
}
