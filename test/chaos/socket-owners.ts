import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Which process has a connection from a port of loopback, by what Linux says in /proc; 0 if none of these. */
export function ownerOf(port: number, processes: readonly number[]): number {
  const inode = inodeOf(port);
  if (inode === undefined) return 0;
  return processes.find((pid) => hasSocket(pid, `socket:[${inode}]`)) ?? 0;
}

function inodeOf(port: number): string | undefined {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  // Processes may also use IPv6 sockets for addresses of IPv4.
  for (const file of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const line of readFileSync(file, "latin1").split("\n")) {
      const [, address = "", , , , , , , , inode = "0"] = line.trim().split(/\s+/);
      if (address.endsWith(local) && inode !== "0") return inode;
    }
  }
  return undefined;
}

function hasSocket(pid: number, name: string): boolean {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).some((file) => linkOf(`${folder}/${file}`) === name);
  } catch {
    // It has ended.
    return false;
  }
}

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return "";
  }
}
