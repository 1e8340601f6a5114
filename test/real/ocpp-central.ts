/** A management system of charging stations, on npm's `ocpp-rpc`, which checks each message by the schemas of OCPP. */
import { once } from "node:events";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { load } from "./packages.ts";

type Json = Readonly<Record<string, unknown>>;

export interface Station {
  readonly protocol: string;
  handle(action: string, handler: (call: { readonly params: Json }) => unknown): void;
  call(action: string, params: object): Promise<Json>;
}

interface RpcServer {
  readonly handleUpgrade: (...args: readonly never[]) => void;
  auth(
    decide: (
      accept: (session: object) => void,
      reject: (status: number) => void,
      handshake: { readonly password?: { toString(): string } },
    ) => void,
  ): void;
  on(event: "client", listener: (station: Station) => void): void;
  close(options: object): Promise<void>;
}

interface OcppRpc {
  readonly RPCServer: new (options: object) => RpcServer;
  readonly createRPCError: (code: string, message: string) => Error;
}

const VERSIONS = ["ocpp1.6", "ocpp2.0.1"];

export interface Central {
  readonly port: number;
  readonly beats: () => number;
  readonly station: () => Station;
  stop(): Promise<void>;
}

export interface CentralOptions {
  /** 0 for any port, or the one to use. */
  readonly port?: number;
  /** Called when a station has asked to authorize somebody. */
  readonly onAuthorize?: (station: Station) => void;
}

/** Lets in whoever has the password `right`, and demands a heartbeat each second. */
export async function startCentral({ port = 0, onAuthorize }: CentralOptions = {}): Promise<Central> {
  const { RPCServer, createRPCError } = await load<OcppRpc>("ocpp-rpc");
  const server = new RPCServer({ protocols: VERSIONS, strictMode: true });
  const stations: Station[] = [];
  let beats = 0;
  server.auth((accept, reject, { password }) => (password?.toString() === "right" ? accept({}) : reject(401)));
  server.on("client", (station) => {
    stations.push(station);
    const currentTime = new Date(0).toISOString();
    station.handle("BootNotification", () => ({ status: "Accepted", interval: 1, currentTime }));
    station.handle("Heartbeat", () => {
      beats++;
      return { currentTime };
    });
    station.handle("Authorize", ({ params }) => {
      onAuthorize?.(station);
      if (station.protocol === "ocpp1.6")
        return { idTagInfo: { status: params.idTag === "me" ? "Accepted" : "Invalid" } };
      return { idTokenInfo: { status: "Accepted" } };
    });
    station.handle("DataTransfer", () => {
      throw createRPCError("InternalError", "out of order");
    });
  });
  const http: HttpServer = createServer();
  http.on("upgrade", server.handleUpgrade as never);
  http.listen(port, "127.0.0.1");
  await once(http, "listening");
  return {
    port: (http.address() as AddressInfo).port,
    beats: () => beats,
    station: () => stations.at(-1) as Station,
    stop: async () => {
      await server.close({ force: true });
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}
