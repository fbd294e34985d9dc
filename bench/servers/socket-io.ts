import { createServer } from "node:http";
import { Server } from "socket.io";
import { readJson } from "./read-json.ts";

// A room per channel, chosen by the reader's query, and WebSocket only: no polling first.
const http = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
  const channel = searchParams.get("channel") ?? "default";
  if (request.method !== "POST" || pathname !== "/publish") return;
  readJson(request, (data) => {
    io.to(channel).emit("message", data);
    response.writeHead(201, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ channel }));
  });
});
const io = new Server(http, { transports: ["websocket"], serveClient: false });

io.on("connection", (socket) => {
  void socket.join(String(socket.handshake.query["channel"] ?? "default"));
});

http.listen(Number(process.env["PORT"] ?? 0), "127.0.0.1");
