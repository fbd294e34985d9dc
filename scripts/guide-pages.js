/**
 * The pages of the guide, section by section, in the order in which they are read. A file is named as in the repository;
 * a folder stands for its pages, in the order of their names.
 */
export const SECTIONS = [
  {
    title: "Start",
    files: ["README.md", "docs/install.md", "docs/concepts.md", "docs/comparison.md", "docs/faq.md"],
  },
  {
    title: "Use",
    files: [
      "docs/mcp.md",
      "docs/mcp-events.md",
      "docs/client-timeouts.md",
      "docs/waking.md",
      "docs/tools.md",
      "docs/client.md",
      "docs/webhooks.md",
      "docs/webhooks-out.md",
      "docs/bridges.md",
      "docs/search.md",
      "docs/files.md",
      "docs/scheduled.md",
      "docs/questions.md",
      "docs/notifications.md",
      "docs/conversations.md",
      "docs/presence.md",
      "docs/recipes/",
    ],
  },
  {
    title: "Operate",
    files: [
      "docs/deploying.md",
      "docs/docker.md",
      "docs/systemd.md",
      "docs/kubernetes.md",
      "docs/gateways.md",
      "docs/discovery.md",
      "docs/operating.md",
      "docs/observability.md",
      "docs/security.md",
      "docs/scaling.md",
      "docs/moving.md",
      "docs/upgrading.md",
    ],
  },
  { title: "Reference", files: ["PROTOCOL.md", "docs/errors.md", "docs/benchmarks.md"] },
  {
    title: "Project",
    files: ["CHANGELOG.md", "CONTRIBUTING.md", "docs/releasing.md", "SECURITY.md", "docs/decisions/"],
  },
];

/** Names and titles other than those that a file and its first heading give. */
const NAMED = {
  "README.md": { name: "index", title: "Overview" },
  "SECURITY.md": { name: "threat-model", title: "Threat model" },
  "docs/decisions/": { title: "Decisions" },
  "docs/recipes/": { title: "Recipes" },
};

/** The path of a page in the guide, such as `recipes/react`, and its title if that is not its first heading. */
export function placeOf(file) {
  const name = file.replace(/^docs\//, "").replace(/\/$|\.md$/g, "");
  return { name: file.startsWith("docs/") ? name : name.toLowerCase(), title: undefined, ...NAMED[file] };
}
