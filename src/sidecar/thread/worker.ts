/** The thread's message loop, which serves the host's commands. */

import type { LookupFunction } from "node:net";
import { type MessagePort, workerData } from "node:worker_threads";
import { preparePatterns } from "../../protocols/lazy-pattern.ts";
import type { Protocol } from "../../protocols/protocol.ts";
import { unsendable } from "../../protocols/subscription-request.ts";
import { type MessageBatch, Outbox } from "../batching.ts";
import type { FromThread, ProtocolTraits, ToThread } from "../contract.ts";
import { packFromThread, type RowToThread, unpackToThread } from "../message-codec.ts";
import { ThreadLines } from "./blocking-lines.ts";
import { loadProtocol } from "./load-protocol.ts";
import { Upstream, type UpstreamCommand } from "./upstream.ts";

/** The parts that each runtime provides for the thread. */
export interface ThreadPlatform {
  readonly lookup?: LookupFunction | undefined;
}

/** The data with which the host starts a thread. */
export interface ThreadData {
  /** A channel apart from the runtime's default one, which a blocking caller could not read. */
  readonly port: MessagePort;
  /** Deno: the Web Lock that this thread must hold as long as it lives. */
  readonly lock: string;
}

type OpenCommand = Extract<ToThread, { type: "open" }>;

/** An upstream of this thread. */
type Slot =
  /** Its protocol, or the compiler of patterns, is being loaded; commands that arrive meanwhile wait. */
  | { readonly state: "loading"; readonly waiting: UpstreamCommand[] }
  | { readonly state: "open"; readonly upstream: Upstream }
  /** The host has received `unusable`; commands are ignored. */
  | { readonly state: "unusable" };

/** Serves the host's commands. Each runtime has its own entry file for the thread, which calls this once. */
export function serveThread(platform: ThreadPlatform): void {
  const { port } = workerData as ThreadData;
  const now = () => performance.now();
  const outbox = new Outbox(port, now, packFromThread);
  const upstreams = new Map<string, Slot>();

  const post = (message: FromThread, alone?: boolean): void => {
    if (!lines.post(message)) outbox.push(message, alone);
  };

  const load = async ({ upstream: name, settings, epochs }: OpenCommand): Promise<Upstream | undefined> => {
    try {
      await preparePatterns(settings);
      const protocol = await loadProtocol(settings.protocol);
      const [fault] = unsendable(protocol, settings.subscriptions);
      if (fault) throw new Error(`subscriptions.${fault.path.join(".")} ${fault.what}`);
      const upstream = new Upstream(name, settings, protocol, { now, post, lookup: platform.lookup }, epochs);
      post({ type: "opened", upstream: name, protocol: traitsOf(protocol) });
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
    if (upstream) await serve(upstream, command.upstream, waiting);
    else upstreams.set(command.upstream, { state: "unusable" });
  };

  /** Handles the commands that wait, and those that arrive meanwhile, in order. */
  const serve = async (upstream: Upstream, name: string, waiting: UpstreamCommand[]): Promise<void> => {
    upstreams.set(name, { state: "loading", waiting });
    for (let command = waiting.shift(); command; command = waiting.shift()) {
      if (command.type === "subscribe") await preparePatterns(command.settings);
      upstream.handle(command);
    }
    upstreams.set(name, { state: "open", upstream });
  };

  const handle = (message: ToThread): void => {
    switch (message.type) {
      case "open":
        void open(message);
        break;
      case "heartbeat":
        outbox.push(message);
        break;
      case "line":
        lines.open(message);
        break;
      case "unline":
        lines.close(message.line);
        break;
      case "end":
        outbox.push({ type: "stopped", upstream: "*" });
        outbox.flush();
        // The only call that ends a thread from within on both runtimes. Messages posted before it still arrive.
        process.exit(0);
        break;
      default: {
        const slot = upstreams.get(message.upstream);
        if (slot?.state === "loading") slot.waiting.push(message);
        else if (slot?.state === "open" && message.type === "subscribe")
          void serve(slot.upstream, message.upstream, [message]);
        else if (slot?.state === "open") slot.upstream.handle(message);
      }
    }
  };

  const lines = new ThreadLines({ now, handle, receiver: (take) => receiver(now, take) });
  port.on("message", receiver(now, handle));
  outbox.push({ type: "ready", upstream: "*" });
  outbox.flush();
}

/**
 * Receives the batches of one sender, and hands on their messages with times by this thread's clock. The difference of
 * the two clocks is measured by each batch, plus the time that the batch took to arrive, so the smallest value is the
 * best. The first alone would not do: after a slow start, it would postpone every deadline for good.
 */
function receiver(now: () => number, handle: (message: ToThread) => void): (batch: MessageBatch<RowToThread>) => void {
  let skew = Number.POSITIVE_INFINITY;
  return (batch) => {
    const measured = now() - batch.at;
    skew = Math.min(skew, measured);
    const delayMs = measured - skew;
    unpackToThread(batch.row, (message) => {
      if (message.type === "request") handle({ ...message, deadline: message.deadline + skew });
      // The host's bound began when it posted this: a busy thread has that much less of it.
      else if (message.type === "close") handle({ ...message, withinMs: Math.max(0, message.withinMs - delayMs) });
      else handle(message);
    });
  };
}

function traitsOf({ name, accepts, streams }: Protocol): ProtocolTraits {
  return { name, accepts, streams };
}
