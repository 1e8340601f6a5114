/** The connection to a host, through a proxy where the settings name one. */

import { isIP, type Socket } from "node:net";
import {
  ANSWER_MAX,
  beginDialogue,
  type Dialogue,
  type ProxyFailure,
  type ProxyLogin,
} from "../core/connection/proxy-dialogue.ts";
import { isExcepted } from "../core/connection/proxy-exceptions.ts";
import { shownProxy } from "../secrets/secrets.ts";
import { connectTo, connectToPath, type Host, type Network, type RaceBounds, startTls } from "./connect.ts";

export interface TunnelProxy extends ProxyLogin, Host {
  /** The hosts that are connected to without it, as in NO_PROXY. */
  readonly except: readonly string[];
}

export interface ProxiedRace extends RaceBounds {
  readonly proxy: TunnelProxy | undefined;
}

/** The reason why there is no tunnel, which is the proxy's or ours with it, and not the upstream's. */
export class ProxyError extends Error {
  readonly failure: ProxyFailure;

  constructor(proxy: TunnelProxy, failure: ProxyFailure) {
    super(`the proxy ${shownProxy(proxy)} ${failure.detail}`);
    this.failure = failure;
  }
}

/** A connection on its way. */
export interface Reaching {
  /** Ends it: afterwards nothing is called, and nothing is left open. */
  leave(): void;
  /** The step that has not ended, for people; undefined if that is the connection to the host itself. */
  readonly waitsFor: string | undefined;
}

/** The proxy on the way to a host, if there is one. */
export function proxyFor(host: Host, proxy: TunnelProxy | undefined): TunnelProxy | undefined {
  return proxy && host.socketPath === undefined && !isExcepted(host, proxy.except) ? proxy : undefined;
}

/** As `connectTo`, whose bound and whose duties of the caller it shares. Errors of a tunnel are ProxyErrors. */
export function reach(
  network: Network,
  host: Host,
  { proxy: configured, ...bounds }: ProxiedRace,
  done: (error: Error | null, socket?: Socket) => void,
): Reaching {
  if (host.socketPath !== undefined) return { leave: connectToPath(host.socketPath, done), waitsFor: undefined };
  const proxy = proxyFor(host, configured);
  if (!proxy) return { leave: connectTo(network, host, bounds, done), waitsFor: undefined };
  const shown = shownProxy(proxy);
  let waitsFor = `the proxy ${shown} has not taken the connection`;
  let leave = (): void => {};
  const fail = (failure: ProxyFailure): void => {
    leave();
    done(new ProxyError(proxy, failure));
  };
  const unreachable = (error: NodeJS.ErrnoException | null): void => {
    const reason = error?.code ?? error?.message ?? "no reason given";
    fail({ type: "failed", fault: "unreachable", detail: `could not be reached (${reason})`, class: "retry" });
  };

  const tunnel = (socket: Socket, target: Host): void => {
    waitsFor = `the proxy ${shown} has not answered`;
    leave = talk(socket, beginDialogue(proxy, { ...target, family: isIP(target.hostname) as 0 | 4 | 6 }), {
      failed: fail,
      unreachable,
      agreed: () => {
        leave = () => {};
        done(null, socket);
      },
    });
  };
  const connectProxy = (target: Host): void => {
    leave = connectTo(network, proxy, bounds, (error, tcp) => {
      if (!tcp) unreachable(error);
      else tunnel(proxy.scheme === "https" ? startTls(tcp, proxy, {}) : tcp, target);
    });
  };

  if (proxy.scheme === "socks5" && !isIP(host.hostname)) {
    waitsFor = `the name ${host.hostname} is not resolved`;
    leave = firstAddress(network, host, (error, address) => {
      if (address === undefined) done(error);
      else connectProxy({ hostname: address, port: host.port });
    });
  } else connectProxy(host);
  return {
    leave: () => leave(),
    get waitsFor() {
      return waitsFor;
    },
  };
}

interface Ends {
  failed(failure: ProxyFailure): void;
  /** The connection was not there, or broke. */
  unreachable(error: Error | null): void;
  agreed(): void;
}

/** Carries on a dialogue until its end. @returns the function that ends it, and the socket with it */
function talk(socket: Socket, first: Dialogue | ProxyFailure, ends: Ends): () => void {
  let said = first;
  let heard = Buffer.alloc(0);
  const stop = (): void => {
    socket.off("data", onData);
    socket.off("end", onEnd);
    socket.off("close", onEnd);
    socket.off("error", onError);
  };
  const leave = (): void => {
    stop();
    // Breaking a TLS handshake may still emit an error.
    socket.on("error", () => {});
    socket.destroy();
  };
  const onError = (error: Error): void => ends.unreachable(error);
  const onEnd = (): void => {
    const detail = "ended the connection before it answered";
    ends.failed({ type: "failed", fault: "garbled", detail, class: "retry" });
  };
  const say = (next: Dialogue): void => {
    said = next;
    heard = Buffer.alloc(0);
    socket.write(next.send);
  };
  const onData = (bytes: Buffer): void => {
    if (said.type === "failed") return;
    heard = Buffer.concat([heard, bytes]);
    const answer = said.read(heard);
    switch (answer.type) {
      case "more":
        if (heard.length < ANSWER_MAX) return;
        ends.failed({ type: "failed", fault: "garbled", detail: "sent no end of its answer", class: "retry" });
        break;
      case "say":
        say(answer);
        break;
      case "agreed":
        stop();
        ends.agreed();
        break;
      case "failed":
        ends.failed(answer);
    }
  };
  socket.on("error", onError);
  if (said.type === "failed") {
    const failure = said;
    queueMicrotask(() => ends.failed(failure));
    return leave;
  }
  socket.on("data", onData);
  socket.on("end", onEnd);
  socket.on("close", onEnd);
  say(said);
  return leave;
}

/** The first address that is known, for a proxy that wants an address; IPv4 if both families come at once. */
function firstAddress(network: Network, host: Host, done: (error: Error | null, address?: string) => void): () => void {
  const awaited = new Set([4, 6]);
  let unresolved: Error | undefined;
  const leave = network.resolve(host, ({ families, addresses, error }) => {
    for (const family of families) awaited.delete(family);
    unresolved ??= error;
    const found = addresses.find(({ family }) => family === 4) ?? addresses[0];
    if (!found && awaited.size > 0) return;
    leave();
    if (found) done(null, found.address);
    else done(unresolved ?? new Error("the name has no address"));
  });
  return leave;
}
