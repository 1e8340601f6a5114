/** The socket under the client of NATS: what is dialled has an end, however the server behaves. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { natsEngine } from "../../src/cluster/nats.ts";
import { sideBySide } from "../support/side-by-side.ts";
import { bounded, type Cleanup, until } from "../support/until.ts";
import { settingsOf } from "./engine-expectations.ts";

const test = sideBySide("the socket under the client of NATS");

const INFO = `INFO ${JSON.stringify({ server_id: "s", version: "2.10.0", proto: 1, max_payload: 1024, tls_required: true })}\r\n`;

test("a server that takes connections and is silent keeps none beyond the attempt", (t) => isLeft({ t, says: "" }));

test("a server that is silent in the handshake of TLS keeps none either", (t) => isLeft({ t, says: INFO }));

test("what is no NATS server is named as such", async (t) => {
  const { url } = await listen(t, (socket) => void socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  const faults: Error[] = [];
  const engine = natsEngine(settingsOf([url], "one"));
  const end = assert.rejects(engine.connect({ contact: () => {}, fault: (fault) => faults.push(fault) }), /has ended/);
  await until(() => faults.length > 0, { what: "the fault" });
  await engine.end(0);
  await bounded(end);
  assert.match(faults[0]?.message ?? "", /what answers there is no NATS server/);
});

/** Connects an engine to such a server, and waits for the second attempt: of the first nothing may be left. */
async function isLeft({ t, says }: { readonly t: Cleanup; readonly says: string }): Promise<void> {
  const sockets: Socket[] = [];
  const { url } = await listen(t, (socket) => {
    socket.write(says);
    sockets.push(socket.resume());
  });
  const engine = natsEngine(settingsOf([url], "one"));
  const end = assert.rejects(engine.connect({ contact: () => {}, fault: () => {} }), /has ended/);
  await until(() => sockets.length === 2, { what: "the second attempt" });
  assert.ok(sockets[0]?.closed);
  await engine.end(0);
  await bounded(end);
  await until(() => sockets.every((socket) => socket.closed), { what: "the end of all connections" });
}

async function listen(t: Cleanup, onSocket: (socket: Socket) => void): Promise<{ readonly url: string }> {
  const server: Server = createServer((socket) => onSocket(socket.on("error", () => {})));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(async () => {
    server.close();
  });
  const { port } = server.address() as { readonly port: number };
  return { url: `nats://127.0.0.1:${port}` };
}
