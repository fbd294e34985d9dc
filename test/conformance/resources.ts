import type { ChannelPattern } from "../../src/protocol/channel.ts";
import type { ResourceDefinition, TemplateDefinition } from "../../src/mcp/definitions.ts";
import { IMAGE } from "./content.ts";

export const resources: readonly ResourceDefinition[] = [
  written("test://static-text", "static-text", "This is the content of the static text resource."),
  {
    listing: { uri: "test://static-binary", name: "static-binary", mimeType: "image/png" },
    read: async () => ({
      contents: [{ uri: "test://static-binary", mimeType: "image/png", blob: IMAGE["data"] }],
    }),
  },
  {
    ...written("test://watched-resource", "watched-resource", "This changes when something is said about it."),
    watches: ["test.watched" as ChannelPattern],
  },
];

/** Data of any id. */
export const template: TemplateDefinition = {
  listing: { uriTemplate: "test://template/{id}/data", name: "template", mimeType: "application/json" },
  resource(uri) {
    const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1];
    if (id === undefined) return undefined;
    const data = { id, templateTest: true, data: `Data for ID: ${id}` };
    return { read: async () => ({ contents: [{ uri, mimeType: "application/json", text: JSON.stringify(data) }] }) };
  },
};

function written(uri: string, name: string, said: string): ResourceDefinition {
  return {
    listing: { uri, name, mimeType: "text/plain" },
    read: async () => ({ contents: [{ uri, mimeType: "text/plain", text: said }] }),
  };
}
