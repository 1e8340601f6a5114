/** A proxy that leads to tunnels, by CONNECT or SOCKS 5, or does to its clients what a test says. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { Cleanup } from "../support/until.ts";
import type { Certificate } from "./certificates.ts";

/** Called with everything that a client has sent since the last answer. Returns false to wait for more. */
type Answering = (heard: Buffer, client: Socket) => boolean | undefined;

export interface TunnelProxyOptions {
  readonly t: Cleanup;
  readonly answer: Answering;
  /** Makes it an https:// proxy. */
  readonly certificate?: Certificate;
}

export interface TunnelProxyServer {
  readonly port: number;
  /** Connections that have not ended. */
  readonly open: Set<Socket>;
  /** How many connections there have been. */
  readonly count: () => number;
}

export async function startTunnelProxy({ t, answer, certificate }: TunnelProxyOptions): Promise<TunnelProxyServer> {
  const open = new Set<Socket>();
  let count = 0;
  const onClient = (client: Socket): void => {
    count++;
    open.add(client);
    client.on("close", () => open.delete(client));
    client.on("error", () => {});
    let heard = Buffer.alloc(0);
    const onData = (bytes: Buffer): void => {
      heard = Buffer.concat([heard, bytes]);
      if (answer(heard, client) === false) return;
      heard = Buffer.alloc(0);
      if (tunnelled.has(client)) client.off("data", onData);
    };
    client.on("data", onData);
  };
  const server: Server = certificate ? createTlsServer(certificate, onClient) : createServer(onClient);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(async () => {
    server.close();
    for (const client of open) client.destroy();
  });
  return { port: (server.address() as AddressInfo).port, open, count: () => count };
}

/** The clients whose bytes go to another host. */
const tunnelled = new WeakSet<Socket>();

function tunnel(client: Socket, host: string, port: number, agreed: string | Uint8Array): void {
  tunnelled.add(client);
  const far = connect({ host, port }, () => {
    client.write(agreed);
    client.pipe(far).pipe(client);
  });
  far.on("error", () => client.destroy());
  client.on("close", () => far.destroy());
}

/** Answers CONNECT with a tunnel, to clients with this `user:password` if it is given. @param asked collects targets */
export function connectProxy(asked: string[] = [], login?: string): Answering {
  return (heard, client) => {
    const head = heard.toString("latin1");
    if (!head.endsWith("\r\n\r\n")) return false;
    const [, host = "", port = ""] = /^CONNECT (\S+):(\d+) HTTP\/1\.1\r\n/.exec(head) ?? [];
    asked.push(`${host}:${port}`);
    const wanted = login === undefined ? "" : `Basic ${Buffer.from(login).toString("base64")}`;
    if (login !== undefined && !head.includes(`\r\nProxy-Authorization: ${wanted}\r\n`)) {
      client.end("HTTP/1.1 407 Login\r\nProxy-Authenticate: Basic realm=x\r\n\r\n");
      return true;
    }
    tunnel(client, host, Number(port), "HTTP/1.1 200 OK\r\n\r\n");
    return true;
  };
}

/** Answers SOCKS 5 with a tunnel. @param asked collects targets as they were named */
export function socksProxy(asked: string[] = []): Answering {
  return (heard, client) => {
    if (heard[0] === 5 && heard.length === 2 + (heard[1] ?? 0)) {
      client.write(Uint8Array.from([5, 0]));
      return true;
    }
    if (heard.length < 7) return false;
    const isName = heard[3] === 3;
    const host = isName ? heard.subarray(5, -2).toString() : [...heard.subarray(4, -2)].join(".");
    const port = heard.readUInt16BE(heard.length - 2);
    asked.push(`${isName ? "name" : "address"} ${host}:${port}`);
    tunnel(client, isName ? "127.0.0.1" : host, port, Uint8Array.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
    return true;
  };
}

/** Answers everything with this text. */
export const saying =
  (text: string | Uint8Array): Answering =>
  (_heard, client) => {
    client.write(text);
    return true;
  };

export const silent: Answering = () => true;

export const closing: Answering = (_heard, client) => {
  client.end();
  return true;
};
