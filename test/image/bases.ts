import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdirSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { debianMirror, type Engine } from "./engine.ts";

const SUITE = "trixie";
const DEBIAN = "debian:trixie-slim";

/** The images that our Dockerfile and compose files name, and how each stands in for the one of that name. */
const DOCKERFILES: Readonly<Record<string, string>> = {
  "node:24-trixie-slim": `
FROM ${DEBIAN}
COPY node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && npm --version
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["node"]
`,
  "gcr.io/distroless/nodejs24-debian13:nonroot": `
FROM ${DEBIAN} AS root
COPY node /out/nodejs/bin/node
RUN mkdir -p /out/usr/lib/x86_64-linux-gnu /out/usr/lib64 /out/etc/ssl /out/usr/share /out/home/nonroot /out/tmp \\
 && ln -s usr/lib /out/lib && ln -s usr/lib64 /out/lib64 \\
 && cp -L $(ldd /out/nodejs/bin/node | grep -o '/lib/x86_64[^ ]*') /out/usr/lib/x86_64-linux-gnu/ \\
 && cp -L /lib64/ld-linux-x86-64.so.2 /out/usr/lib64/ \\
 && cp -a /lib/x86_64-linux-gnu/libnss_dns.so.2 /lib/x86_64-linux-gnu/libnss_files.so.2 /lib/x86_64-linux-gnu/libresolv.so.2 /out/usr/lib/x86_64-linux-gnu/ \\
 && cp -a /etc/ssl/certs /out/etc/ssl/ && cp /etc/nsswitch.conf /out/etc/ \\
 && printf 'root:x:0:0:root:/root:/sbin/nologin\\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\\n' > /out/etc/passwd \\
 && printf 'root:x:0:\\nnonroot:x:65532:\\n' > /out/etc/group \\
 && chown 65532:65532 /out/home/nonroot && chmod 700 /out/home/nonroot && chmod 1777 /out/tmp
FROM scratch
COPY --from=root /out /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532
WORKDIR /home/nonroot
ENTRYPOINT ["/nodejs/bin/node"]
`,
  "nginx:1.30": `
FROM ${DEBIAN}
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends nginx curl openssl && rm -rf /var/lib/apt/lists/* \\
 && useradd --system --no-create-home --shell /bin/false nginx \\
 && rm -rf /var/lib/nginx && mkdir -p /var/cache/nginx && ln -s /var/cache/nginx /var/lib/nginx \\
 && ln -sf /dev/stdout /var/log/nginx/access.log && ln -sf /dev/stderr /var/log/nginx/error.log \\
 && mkdir /docker-entrypoint.d \\
 && printf '#!/bin/sh\\nset -e\\nfor file in /docker-entrypoint.d/*.sh; do if [ -x "$file" ]; then "$file"; fi; done\\nexec "$@"\\n' > /docker-entrypoint.sh \\
 && chmod 755 /docker-entrypoint.sh
ENTRYPOINT ["/docker-entrypoint.sh"]
STOPSIGNAL SIGQUIT
CMD ["nginx", "-g", "daemon off;"]
`,
  "valkey/valkey:9": `
FROM ${DEBIAN}
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends valkey-tools && rm -rf /var/lib/apt/lists/* \\
 && mkdir /data && chown valkey:valkey /data
COPY valkey-server /usr/local/bin/
WORKDIR /data
VOLUME /data
USER valkey
CMD ["valkey-server"]
`,
  "order-service": `
FROM ${DEBIAN}
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-requests curl && rm -rf /var/lib/apt/lists/*
ENTRYPOINT ["python3", "-c"]
`,
};

/**
 * Makes an image for each name, since none can be pulled here: from Debian 13 by debootstrap, the official binary of
 * Node, nginx of Debian, and the program `valkey`. They have what our files rely on of the real ones: paths, users,
 * commands, entry points.
 */
export function makeBases(engine: Engine, cache: string, valkey: string): void {
  const context = join(cache, "bases");
  rmSync(context, { recursive: true, force: true });
  mkdirSync(context, { recursive: true });
  copyFileSync(realpathSync(process.execPath), join(context, "node"));
  execFileSync("npm", ["install", "--prefix", join(context, "install"), "--no-audit", "--no-fund", "npm@11"], {
    stdio: "inherit",
  });
  cpSync(join(context, "install/node_modules/npm"), join(context, "npm"), { recursive: true });
  copyFileSync(valkey, join(context, "valkey-server"));
  const archive = debianArchive(cache);
  engine.show(["import", archive, DEBIAN]);
  for (const [name, text] of Object.entries(DOCKERFILES)) {
    writeFileSync(join(context, "Dockerfile"), text);
    engine.show(["build", "--quiet", "--network", "host", "--tag", name, context]);
  }
}

/** A minimal Debian 13 with the authorities that this machine trusts, as an archive. */
function debianArchive(cache: string): string {
  const archive = join(cache, `${SUITE}.tar`);
  if (existsSync(archive)) return archive;
  const root = join(cache, SUITE);
  rmSync(root, { recursive: true, force: true });
  execFileSync(
    "debootstrap",
    ["--variant=minbase", "--include=ca-certificates,libstdc++6", SUITE, root, debianMirror()],
    {
      stdio: "inherit",
    },
  );
  // A registry of one's own may have a certificate of one's own.
  copyFileSync("/etc/ssl/certs/ca-certificates.crt", join(root, "etc/ssl/certs/ca-certificates.crt"));
  execFileSync("tar", ["-C", root, "--one-file-system", "-cf", `${archive}.part`, "."]);
  renameSync(`${archive}.part`, archive);
  rmSync(root, { recursive: true, force: true });
  return archive;
}
