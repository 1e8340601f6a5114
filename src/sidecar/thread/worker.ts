/** The thread side of the contract. */

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

type OpenCommand = Extract<ToThread, { type: "open" }>;
type UpstreamCommand = Parameters<Upstream["handle"]>[0];

/** An upstream of this thread. */
type Slot =
  /** Its protocol is being loaded; the commands that arrive meanwhile wait. */
  | { readonly state: "loading"; readonly waiting: UpstreamCommand[] }
  | { readonly state: "open"; readonly upstream: Upstream }
  /** The host has been sent `unusable`; its commands are ignored. */
  | { readonly state: "unusable" };

/** Serves the host's commands. Each runtime has its own entry file for the thread, which calls this once. */
export function serveThread(platform: ThreadPlatform): void {
  const { port } = workerData as ThreadData;
  const now = () => performance.now();
  const outbox = new Outbox(port, now, packFromThread);
  const upstreams = new Map<string, Slot>();
  /**
   * This thread's clock less the host's: deadlines come in the host's. A batch tells it, and its way only adds to it, so
   * the least of all is the nearest. Were it the first one's, a slow beginning would put off every deadline for good.
   */
  let skew = Number.POSITIVE_INFINITY;

  const post = (message: FromThread, alone?: boolean): void => outbox.push(message, alone);

  const load = async ({ upstream: name, settings, life }: OpenCommand): Promise<Upstream | undefined> => {
    try {
      const protocol = await loadProtocol(settings.protocol);
      const upstream = new Upstream(name, settings, protocol, { now, post, lookup: platform.lookup }, life);
      post({ type: "opened", upstream: name, dialect: dialectOf(protocol) });
      upstream.start();
      return upstream;
    } catch (error) {
      post({ type: "unusable", upstream: name, detail: error instanceof Error ? error.message : String(error) });
      return undefined;
    }
  };

  const open = async (command: OpenCommand): Promise<void> => {
    const waiting: UpstreamCommand[] = [];
    upstreams.set(command.upstream, { state: "loading", waiting });
    const upstream = await load(command);
    upstreams.set(command.upstream, upstream ? { state: "open", upstream } : { state: "unusable" });
    for (const each of waiting) upstream?.handle(each);
  };

  const handle = (message: ToThread): void => {
    switch (message.type) {
      case "open":
        void open(message);
        break;
      case "beat":
        outbox.push(message);
        break;
      case "end":
        outbox.push({ type: "stopped", upstream: "*" });
        outbox.flush();
        // The one call that ends a thread from within on both runtimes; what was posted before it still arrives.
        process.exit(0);
        break;
      default: {
        const slot = upstreams.get(message.upstream);
        if (slot?.state === "open") slot.upstream.handle(message);
        else if (slot?.state === "loading") slot.waiting.push(message);
      }
    }
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
