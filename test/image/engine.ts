import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, mkdirSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../support/until.ts";

/** Packages of Debian 13 that make a Docker engine with BuildKit and Compose. */
const PACKAGES = ["docker.io", "docker-cli", "docker-compose", "docker-buildx", "containerd", "runc", "tini"];
const SUITE = "trixie";

/** How a network namespace of the test is called. */
const NAMESPACE = `hub-image-${process.pid}`;

/**
 * A Docker engine of our own, of Debian's packages, in a folder of its own. It first runs in the network of the machine,
 * without bridges, so that builds reach the registry of npm; then in a network namespace, where it may have bridges,
 * names, rules of a firewall and any port without touching the machine.
 */
export class Engine {
  readonly #binaries: string;
  readonly #folder: string;
  #daemon: ChildProcess | undefined;

  /** `cache` keeps what is downloaded, `folder` has the images and containers, and is removed at the end. */
  constructor(cache: string, folder: string) {
    this.#binaries = unpackedEngine(join(cache, "engine"));
    this.#folder = folder;
    for (const name of ["data", "run", "config/cli-plugins"]) mkdirSync(join(folder, name), { recursive: true });
    for (const plugin of ["docker-compose", "docker-buildx"]) {
      const [file = ""] = globSync(`**/cli-plugins/${plugin}`, { cwd: this.#binaries });
      symlinkSync(join(this.#binaries, file), join(folder, "config/cli-plugins", plugin));
    }
  }

  /** What `docker` needs in its environment to find this engine. */
  get env(): NodeJS.ProcessEnv {
    const path = ["usr/bin", "usr/sbin"].map((folder) => join(this.#binaries, folder));
    return {
      ...process.env,
      PATH: [...path, process.env["PATH"]].join(":"),
      DOCKER_HOST: `unix://${this.#folder}/docker.sock`,
      DOCKER_CONFIG: join(this.#folder, "config"),
    };
  }

  /** Words before a command that is to run in the network of the containers. */
  static readonly inside: readonly string[] = ["nsenter", `--net=/run/netns/${NAMESPACE}`];

  async start(network: "of the machine" | "of its own"): Promise<void> {
    const rules = network === "of its own" ? [] : ["--iptables=false", "--ip6tables=false", "--bridge=none"];
    const inside = network === "of its own" ? Engine.inside : [];
    if (network === "of its own") {
      execFileSync("ip", ["netns", "add", NAMESPACE]);
      execFileSync("ip", ["-n", NAMESPACE, "link", "set", "lo", "up"]);
    }
    const place = (name: string): string => join(this.#folder, name);
    const words = ["dockerd", "--data-root", place("data"), "--exec-root", place("run"), "-p", place("pid")];
    const [command = "", ...rest] = [...inside, ...words, "-H", `unix://${place("docker.sock")}`, ...rules];
    const output = openSync(place("dockerd.log"), "a");
    // Its own process group: Ctrl+C is for us, who then stop it in order.
    const options = { env: this.env, stdio: ["ignore", output, output] as const, detached: true };
    const daemon = spawn(command, rest, { ...options, stdio: [...options.stdio] });
    this.#daemon = daemon;
    await until("the engine answers", () => {
      if (daemon.exitCode !== null) throw new Error(readFileSync(place("dockerd.log"), "utf8").slice(-3000));
      return spawnSync("docker", ["version"], { env: this.env }).status === 0;
    });
  }

  /** Ends the engine and what runs in it; images and volumes stay. */
  async stop(): Promise<void> {
    const daemon = this.#daemon;
    this.#daemon = undefined;
    if (daemon === undefined || daemon.exitCode !== null) return;
    const running = this.docker("ps", "--all", "--quiet").split("\n").filter(Boolean);
    if (running.length > 0) this.docker("rm", "--force", ...running);
    daemon.kill("SIGTERM");
    await once(daemon, "exit");
  }

  /** Stops it and removes all it has made: mounts, namespace, folder. */
  async remove(): Promise<void> {
    await this.stop();
    const mounts = readFileSync("/proc/self/mounts", "utf8")
      .split("\n")
      .map((line) => line.split(" ")[1] ?? "")
      .filter((place) => place.startsWith(`${this.#folder}/`));
    for (const place of mounts.toReversed()) spawnSync("umount", ["--lazy", place]);
    if (existsSync(`/run/netns/${NAMESPACE}`)) execFileSync("ip", ["netns", "delete", NAMESPACE]);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Runs the command to its end and returns what it prints. */
  docker(...words: readonly string[]): string {
    return execFileSync("docker", words, { env: this.env, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
  }

  /** Runs the command with its output in sight; a Dockerfile can come by standard input. */
  show(words: readonly string[], input?: string, cwd?: string): void {
    const { status } = spawnSync("docker", words, {
      env: this.env,
      stdio: [input === undefined ? "ignore" : "pipe", "inherit", "inherit"],
      ...(input === undefined ? {} : { input }),
      ...(cwd === undefined ? {} : { cwd }),
    });
    if (status !== 0) throw new Error(`docker ${words.join(" ")} ended with ${status}`);
  }
}

/** Downloads and unpacks the packages, without installing them: this machine may be an older Debian. */
function unpackedEngine(folder: string): string {
  const root = join(folder, "root");
  if (existsSync(join(root, "usr/sbin/dockerd"))) return root;
  for (const name of ["lists/partial", "cache/archives/partial", "sources", "debs", "root"])
    mkdirSync(join(folder, name), { recursive: true });
  const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
  writeFileSync(
    join(folder, "sources/debian.sources"),
    `Types: deb\nURIs: ${debianMirror()}\nSuites: ${SUITE}\nComponents: main\nSigned-By: ${keyring}\n`,
  );
  writeFileSync(
    join(folder, "apt.conf"),
    `Dir::Etc::sourcelist "/dev/null"; Dir::Etc::sourceparts "${folder}/sources"; Dir::State::Lists "${folder}/lists";
     Dir::Cache "${folder}/cache"; Dir::State::status "/dev/null"; APT::Sandbox::User "root";`,
  );
  const env = { ...process.env, APT_CONFIG: join(folder, "apt.conf") };
  execFileSync("apt-get", ["update", "-qq"], { env, stdio: "inherit" });
  execFileSync("apt-get", ["download", "-qq", ...PACKAGES], { env, cwd: join(folder, "debs"), stdio: "inherit" });
  for (const file of globSync("*.deb", { cwd: join(folder, "debs") }))
    execFileSync("dpkg", ["-x", join(folder, "debs", file), root]);
  // The runc of Debian 13 needs its C library; then this machine's own has to do.
  const runc = join(root, "usr/sbin/runc");
  if (spawnSync(runc, ["--version"]).status !== 0) rmSync(runc);
  return root;
}

/** Where this machine has its Debian packages from. */
export function debianMirror(): string {
  const sites = execFileSync("apt-get", ["indextargets", "--format", "$(SITE)", "Created-By: Packages"], {
    encoding: "utf8",
  });
  const [first] = sites.split("\n").filter((site) => !site.includes("security"));
  if (first === undefined || first === "") throw new Error("apt-get knows no source of packages; run apt-get update");
  return first;
}
