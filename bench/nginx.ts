import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const MODULE = "/usr/lib/nginx/modules/ngx_nchan_module.so";
const BINARIES = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"];

/** The command line of an nginx with Nchan that keeps everything it writes in `directory`. */
export function nginxCommand(directory: string, port: number): readonly string[] {
  const file = join(directory, "nginx.conf");
  // An nginx started by root gives its worker to another user, who must be able to get in.
  chmodSync(directory, 0o755);
  writeFileSync(file, configuration(directory, port));
  return [nginxBinary() ?? "nginx", "-p", directory, "-c", file, "-e", join(directory, "error.log")];
}

/** Why Nchan cannot run on this machine, or undefined. */
export function nchanMissing(): string | undefined {
  if (nginxBinary() === undefined) return "nginx is not installed";
  return existsSync(MODULE) ? undefined : `${MODULE} is not installed (Debian: libnginx-mod-nchan)`;
}

function nginxBinary(): string | undefined {
  return BINARIES.find((file) => existsSync(file));
}

function configuration(directory: string, port: number): string {
  return `load_module ${MODULE};
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid ${directory}/nginx.pid;
error_log ${directory}/error.log;
events { worker_connections 16000; }
http {
  access_log off;
  keepalive_requests 1000000000;
  nchan_shared_memory_size 256M;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location = /pub {
      nchan_publisher http;
      nchan_channel_id $arg_id;
      nchan_message_buffer_length 1000;
      nchan_message_timeout 1m;
    }
    location = /sub {
      nchan_subscriber eventsource;
      nchan_channel_id $arg_id;
      nchan_subscriber_first_message newest;
    }
  }
}
`;
}
