import type { NodeStatus, ServerInfo } from "../../protocol/server-info.ts";
import { compact, decimal, duration } from "../shared/format.ts";

const SECOND = 1000;

/** The nodes of the hub, if there are several; the figures of the rest of the page are those of one. */
export function Nodes({ info }: { readonly info: ServerInfo | undefined }) {
  if (info === undefined || info.nodes.length < 2) return null;
  const { node, nodes } = info;
  return (
    <section class="panel nodes" aria-labelledby="nodes-title">
      <header>
        <h2 id="nodes-title">Nodes</h2>
        <p class="count">
          {nodes.length}; channels and what is kept are those of all, the rest of the page is of this one
        </p>
      </header>
      <div class="scroll" tabIndex={0} role="group" aria-label="Nodes, this one first">
        <table>
          <thead>
            <tr>
              {["Node", "Connections", "In per s", "Out per s", "Up"].map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody id="node-rows">
            {nodes.map((status) => (
              <tr key={status.id}>
                <th scope="row">{nameOf(status, node)}</th>
                <td>{compact(status.connections)}</td>
                <td>{decimal(status.publishedPerSecond)}</td>
                <td>{decimal(status.deliveredPerSecond)}</td>
                <td>{duration(Math.max(Date.now() - Date.parse(status.started), 0) / SECOND)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function nameOf({ id, address, version, draining }: NodeStatus, own: string): string {
  const marks = [id === own && "this one", draining && "stopping"].filter((mark) => mark !== false);
  return `${address ?? id}, ${version}${marks.map((mark) => ` (${mark})`).join("")}`;
}
