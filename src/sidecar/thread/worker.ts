import type { LookupFunction } from "node:net";
import { type MessagePort, workerData } from "node:worker_threads";
import type { Protocol } from "../../protocols/protocol.ts";
import { type MessageBatch, Outbox } from "../batching.ts";
import type { FromThread, ProtocolTraits, ToThread } from "../contract.ts";
import { packFromThread, type RowToThread, unpackToThread } from "../message-codec.ts";
import { loadProtocol } from "./load-protocol.ts";
import { Upstream } from "./upstream.ts";

/** What a runtime brings to the thread. */
export interface ThreadPlatform {
  readonly lookup?: LookupFunction | undefined;
}

/** What the host gives to a thread when it starts one. */
export interface ThreadData {
  /** Our own channel: the runtime's default one cannot be read by a blocking caller. */
  readonly port: MessagePort;
  /** Deno: the Web Lock that this thread must hold for as long as it lives. */
  readonly lock: string;
}

/** The thread side of the contract. Called once by the thread's entry, of which each runtime has its own. */
export function serveThread(platform: ThreadPlatform): void {
  const { port } = workerData as ThreadData;
  const now = () => performance.now();
  const outbox = new Outbox(port, now, packFromThread);
  const upstreams = new Map<string, Upstream | Promise<Upstream | undefined>>();
  /**
   * This thread's clock less the host's: deadlines come in the host's. A batch tells it, and its way only adds to it, so
   * the least of all is the nearest. Were it the first one's, a slow beginning would put off every deadline for good.
   */
  let skew = Number.POSITIVE_INFINITY;

  const post = (message: FromThread, alone?: boolean): void => outbox.push(message, alone);

  const open = async ({ upstream: name, settings, life }: Extract<ToThread, { type: "open" }>) => {
    try {
      const protocol = await loadProtocol(settings.protocol);
      const upstream = new Upstream(name, settings, protocol, { now, post, lookup: platform.lookup }, life);
      upstreams.set(name, upstream);
      post({ type: "opened", upstream: name, dialect: dialectOf(protocol) });
      upstream.start();
      return upstream;
    } catch (error) {
      post({ type: "unusable", upstream: name, detail: error instanceof Error ? error.message : String(error) });
      return undefined;
    }
  };

  const handle = (message: ToThread): void => {
    if (message.type === "open") {
      upstreams.set(message.upstream, open(message));
      return;
    }
    if (message.type === "beat") {
      outbox.push(message);
      return;
    }
    if (message.type === "end") {
      outbox.push({ type: "stopped", upstream: "*" });
      outbox.flush();
      // The one call that ends a thread from within on both runtimes; what was posted before it still arrives.
      process.exit(0);
    }
    const found = upstreams.get(message.upstream);
    if (found instanceof Upstream) found.handle(message);
    else found?.then((upstream) => upstream?.handle(message));
  };

  port.on("message", (batch: MessageBatch<RowToThread>) => {
    const came = now() - batch.at;
    skew = Math.min(skew, came);
    const ahead = skew;
    const late = came - ahead;
    unpackToThread(batch.row, (message) => {
      if (message.type === "request") handle({ ...message, deadline: message.deadline + ahead });
      // The host waits from when it sent this: a thread that comes to it late has so much less of the bound.
      else if (message.type === "close") handle({ ...message, withinMs: Math.max(0, message.withinMs - late) });
      else handle(message);
    });
  });
  outbox.push({ type: "ready", upstream: "*" });
  outbox.flush();
}

function dialectOf({ name, accepts, streams }: Protocol): ProtocolTraits {
  return { name, accepts, streams };
}
