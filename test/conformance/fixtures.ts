import { Changes, type Extras } from "../../src/mcp/definitions.ts";
import { askingTools } from "./asking-tools.ts";
import { inputRequiredPrompt, inputRequiredTools } from "./input-required.ts";
import { prompts } from "./prompts.ts";
import { resources, template } from "./resources.ts";
import { memoryTasks, taskTools } from "./tasks.ts";
import { changingTools, contentTools, schemaTools, slowTools } from "./tools.ts";

/** What the official conformance suite expects a server to offer; each server needs its own. */
export function fixtures(): Extras {
  const changes = new Changes();
  return {
    tools: [
      ...contentTools,
      ...slowTools,
      ...changingTools(changes),
      ...schemaTools,
      ...askingTools,
      ...inputRequiredTools,
      ...taskTools,
    ],
    prompts: [...prompts, inputRequiredPrompt],
    resources,
    templates: [template],
    tasks: [memoryTasks],
    changes,
  };
}
