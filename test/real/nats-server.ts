/** Debian's `nats-server` with its WebSocket listener, and a service behind it that replies, on a connection of its own. */
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { WebSocket } from "ws";
import { readOperations, writePublication } from "../../src/protocols/nats-frame.ts";
import { Child } from "../support/child.ts";
import { freePort } from "../support/free-port.ts";
import { findOnPath } from "../support/root.ts";
import { bounded, type Cleanup, until } from "../support/until.ts";

export interface NatsServer {
  readonly url: string;
  readonly port: number;
  readonly child: Child;
}

export interface NatsOptions {
  readonly t: Cleanup;
  /** The lines of its configuration besides its listener. */
  readonly lines: readonly string[];
  /** A free one by default. */
  readonly port?: number;
}

export async function startNats({ t, lines, port: given }: NatsOptions): Promise<NatsServer> {
  const folder = await mkdtemp(join(tmpdir(), "sidesocket-nats-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const port = given ?? (await freePort());
  const file = join(folder, "nats.conf");
  const listener = `websocket { listen: "127.0.0.1:${port}", no_tls: true }`;
  const ownPort = 'listen: "127.0.0.1:-1"';
  const store = `jetstream { store_dir: "${folder}" }`;
  await writeFile(file, [ownPort, listener, store, ...lines, ""].join("\n"));
  const child = await Child.start({ command: findOnPath("nats-server"), args: ["-c", file], env: process.env, t });
  await until(() => /Server is ready/.test(child.output()), { what: () => `nats-server ${child.output()}` });
  return { url: `ws://127.0.0.1:${port}/`, port, child };
}

/** Replies to each message at `svc.echo` with its data and headers, as the user `all`. */
export async function startEcho({ url }: Pick<NatsServer, "url">, t: Cleanup, pass = "right"): Promise<void> {
  const socket = new WebSocket(url);
  t.after(async () => socket.terminate());
  socket.on("error", () => {});
  const isSubscribed = new Promise<void>((resolve) => {
    socket.on("message", (bytes: Buffer) => {
      const operations = readOperations(bytes);
      if ("why" in operations) throw new Error(operations.why);
      for (const each of operations) {
        if (each.type === "pong") resolve();
        if (each.type === "ping") socket.send("PONG\r\n");
        if (each.type !== "message" || each.message.reply === undefined) continue;
        const { reply, headers, payload } = each.message;
        socket.send(writePublication({ subject: reply, headers, payload }));
      }
    });
  });
  await once(socket, "open");
  const login = { verbose: false, pedantic: false, headers: true, protocol: 0, user: "all", pass };
  socket.send(`CONNECT ${JSON.stringify(login)}\r\nSUB svc.echo 1\r\nPING\r\n`);
  await bounded(isSubscribed);
}
