/** The TCP connection to a host, by the first of its addresses that connects. */

import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import {
  type Address,
  type Family,
  newRace,
  type Pauses,
  type RaceInput,
  stepRace,
} from "../core/connection/address-race.ts";
import { localSocketOf } from "../local-socket.ts";

/** A host by its name or its address, without brackets. */
export interface Host {
  readonly hostname: string;
  readonly port: number;
  /** The path of the Unix socket that is connected to in place of an address. */
  readonly socketPath?: string | undefined;
}

/** The addresses of some families of a host. `error` is the reason why there are none. */
export interface AddressAnswer {
  readonly families: readonly Family[];
  readonly addresses: readonly Address[];
  readonly error?: Error | undefined;
}

/** The part of the network that the runtimes do differently. */
export interface Network {
  /**
   * Resolves a host's name, and calls `onAnswer` with the addresses of each family as they come, never before it has
   * returned.
   * @returns the function that ends it: afterwards nothing is called, and nothing holds up the end of the thread
   */
  resolve(host: Host, onAnswer: (answer: AddressAnswer) => void): () => void;
  /** Begins to connect to one of the addresses that the host's name has resolved to. */
  connect(host: Host, address: Address): Socket;
}

export interface RaceBounds {
  readonly withinMs: number;
  readonly pauses: Pauses;
}

/**
 * Connects to a host. `done` is called at most once, never before this has returned, with the connected socket or the
 * error. The bound shapes the race, and does not end it: that is up to the caller, by the returned function, after
 * which nothing is called and nothing is left open.
 */
export function connectTo(
  network: Network,
  host: Host,
  { withinMs, pauses }: RaceBounds,
  done: (error: Error | null, socket?: Socket) => void,
): () => void {
  let race = newRace(withinMs, pauses, performance.now());
  let timer: NodeJS.Timeout | undefined;
  const sockets = new Map<Address, Socket>();
  const failures = new Map<Address, Error>();
  let unresolved: Error | undefined;

  const leave = (): void => {
    race = { ...race, isOver: true };
    clearTimeout(timer);
    stopResolving();
    for (const socket of sockets.values()) socket.destroy();
    sockets.clear();
  };

  const advance = (input: RaceInput): void => {
    const { race: next, effects } = stepRace(race, input, performance.now());
    race = next;
    for (const effect of effects) {
      switch (effect.type) {
        case "timer":
          clearTimeout(timer);
          timer = effect.ms === undefined ? undefined : setTimeout(() => advance({ type: "timer" }), effect.ms);
          break;
        case "try":
          begin(effect.address);
          break;
        case "won": {
          const socket = sockets.get(effect.address);
          sockets.delete(effect.address);
          leave();
          done(null, socket);
          break;
        }
        case "lost":
          leave();
          done(errorOf(failures) ?? unresolved ?? new Error("the name has no address"));
      }
    }
  };

  const begin = (address: Address): void => {
    const socket = network.connect(host, address);
    sockets.set(address, socket);
    const settle = (error?: Error): void => {
      socket.off("connect", settle);
      socket.off("error", settle);
      if (!error) {
        advance({ type: "connected", address });
        return;
      }
      sockets.delete(address);
      failures.set(address, error);
      advance({ type: "failed", address });
    };
    socket.on("connect", settle);
    socket.on("error", settle);
  };

  const family = isIP(host.hostname) as Family | 0;
  const stopResolving = (
    family ? answerAtOnce({ address: host.hostname, family }) : network.resolve.bind(network, host)
  )(({ families, addresses, error }) => {
    if (race.isOver) return;
    if (error && addresses.length === 0) unresolved ??= error;
    advance({ type: "answered", families, addresses });
  });
  return leave;
}

/** As `connectTo`, for a Unix socket. */
export function connectToPath(path: string, done: (error: Error | null, socket?: Socket) => void): () => void {
  let socket: Socket;
  try {
    socket = connect({ path });
  } catch (error) {
    // Deno throws if a permission is missing.
    queueMicrotask(() => done(error as Error));
    return () => {};
  }
  const stop = (): void => {
    socket.off("connect", onConnect);
    socket.off("error", onError);
  };
  const onConnect = (): void => {
    stop();
    done(null, socket);
  };
  const onError = (error: Error): void => {
    stop();
    done(error);
  };
  socket.on("connect", onConnect);
  socket.on("error", onError);
  return () => {
    stop();
    // Breaking it may still emit an error.
    socket.on("error", () => {});
    socket.destroy();
  };
}

/** The host that a URL names, and whether it speaks TLS. */
export function hostOf(url: string): Host & { readonly isSecure: boolean } {
  const local = localSocketOf(url);
  if (local) return { hostname: local.path, port: 0, isSecure: false, socketPath: local.path };
  const { hostname, port, protocol } = new URL(url);
  const isSecure = protocol === "wss:" || protocol === "https:";
  return { hostname: hostname.replace(/^\[|\]$/g, ""), port: Number(port || (isSecure ? 443 : 80)), isSecure };
}

/** The options of TLS: texts of PEM, and a PFX in base64. */
export interface TlsMaterial {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly pfx?: string | undefined;
  readonly passphrase?: string | undefined;
  /** Takes the place of the host's name, in the certificate as well. */
  readonly servername?: string | undefined;
  readonly min_version?: "1.2" | "1.3" | undefined;
}

/** Begins TLS on a connected socket. The certificate must be the host's, whichever address has connected. */
export function startTls(socket: Socket, { hostname }: Host, material: TlsMaterial): TLSSocket {
  const { ca, cert, key, pfx, passphrase, servername = isIP(hostname) ? "" : hostname, min_version = "1.2" } = material;
  return connectTls({
    socket,
    host: material.servername ?? hostname,
    servername,
    minVersion: `TLSv${min_version}`,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(pfx !== undefined && { pfx: Buffer.from(pfx, "base64") }),
    ...(passphrase !== undefined && { passphrase }),
  });
}

function answerAtOnce(address: Address) {
  return (onAnswer: (answer: AddressAnswer) => void): (() => void) => {
    queueMicrotask(() => onAnswer({ families: [4, 6], addresses: [address] }));
    return () => {};
  };
}

/** The one error of all tries or, if they differ, one that names each address with its own. */
function errorOf(failures: ReadonlyMap<Address, Error>): Error | undefined {
  const reasons = new Map([...failures].map(([{ address }, error]) => [address, codeOf(error)]));
  if (new Set(reasons.values()).size <= 1) return failures.values().next().value;
  return new Error([...reasons].map(([address, reason]) => `${reason} at ${address}`).join(", "));
}

function codeOf(error: NodeJS.ErrnoException): string {
  return error.code ?? error.message;
}
