import { createServer, type ServerResponse } from "node:http";
import { constants, createGzip, type Gzip } from "node:zlib";
import { readJson } from "./read-json.ts";

// What a compressing framework or proxy does: a zlib context for each stream. Unlike most, it compresses all that a turn
// brings at once.
const readers = new Set<Gzip>();
let waiting = "";
let id = 0;

const server = createServer((request, response) => {
  if (request.method === "POST") readJson(request, (data) => publish(data, response));
  else if (request.headers["accept-encoding"] === "gzip") subscribe(response);
  else response.end();
});

server.listen(Number(process.env["PORT"] ?? 0), "127.0.0.1");

function subscribe(response: ServerResponse): void {
  const gzip = createGzip({ flush: constants.Z_SYNC_FLUSH });
  readers.add(gzip);
  response.on("close", () => readers.delete(gzip));
  response.writeHead(200, { "Content-Type": "text/event-stream", "Content-Encoding": "gzip" });
  gzip.pipe(response);
  gzip.write(": hello\n\n");
}

function publish(data: unknown, response: ServerResponse): void {
  id += 1;
  const name = `0123456789-${id}`;
  const message = { id: name, channel: "bench", event: "message", data, sender: "anyone", time: new Date() };
  if (waiting === "") setImmediate(write);
  waiting += `id: ${name}\ndata: ${JSON.stringify(message)}\n\n`;
  response.writeHead(201, { "Content-Type": "application/json" }).end(JSON.stringify({ id: name }));
}

function write(): void {
  const text = waiting;
  waiting = "";
  for (const reader of readers) reader.write(text);
}
