/** The thread's message loop, which serves the host's commands. */

import { type MessagePort, workerData } from "node:worker_threads";
import { countedBytesOf } from "../../core/messages/journal.ts";
import { countedBytes } from "../../core/outcome.ts";
import { tallyIn } from "../../core/tally.ts";
import { Budget } from "../../core/util/budget.ts";
import type { Network } from "../../net/connect.ts";
import { faultsOfFrames } from "../../protocols/configured-faults.ts";
import { preparePatterns } from "../../protocols/lazy-pattern.ts";
import { LARGE_TEXT } from "../../protocols/outline.ts";
import { type MessageBatch, Outbox, type Sender } from "../batching.ts";
import type { CommandOf, FromThread, ThreadCluster, ToThread } from "../contract.ts";
import { EventLoopLag } from "../event-loop-lag.ts";
import { hostOf } from "../holder-address.ts";
import { packFromThread, type RowToThread, unpackToThread } from "../message-codec.ts";
import { takeUrgentTurn } from "../turns.ts";
import { UpstreamNumbers } from "../upstream-numbers.ts";
import { ThreadLines } from "./blocking-lines.ts";
import { FrameTape } from "./frame-tape.ts";
import { FrameTrace } from "./frame-trace.ts";
import type { Joined } from "./join-cluster.ts";
import { loadProtocol } from "./load-protocol.ts";
import { Mark, type Work } from "./mark.ts";
import { ModuleReports } from "./module-reports.ts";
import { Upstream, type UpstreamCommand } from "./upstream.ts";

/** The parts that each runtime provides for the thread. */
export interface ThreadPlatform {
  /** The port to the host. */
  readonly port: Sender & { on(event: "message", listener: (batch: MessageBatch<RowToThread>) => void): unknown };
  readonly network: Network;
  /** Passes on what is written to the runtime's own standard streams. */
  takePrints?(print: (text: string) => void): void;
}

/** The data with which the host starts a thread. */
export interface ThreadData {
  /** A channel apart from the runtime's default one, which a blocking caller could not read. */
  readonly port: MessagePort;
  /** Deno: the Web Lock that this thread must hold as long as it lives. */
  readonly lock: string;
  /** Notes the upstream that the thread works for, by its number. */
  readonly mark: Int32Array;
}

type OpenCommand = Extract<ToThread, { type: "open" }>;

type HandleCommand = (command: UpstreamCommand) => void;

interface Loaded {
  readonly upstream: Upstream;
  /** Takes the commands of the host, also of an upstream that replicas share. */
  readonly handle: HandleCommand;
}

/** An upstream of this thread. */
type Slot =
  /**
   * Its protocol, or the compiler of patterns, is being loaded, or a large request waits for its turn; commands that
   * arrive meanwhile wait.
   */
  | { readonly state: "busy"; readonly waiting: UpstreamCommand[]; readonly work: Work }
  | ({ readonly state: "open"; readonly work: Work } & Loaded)
  /** The host has received `unusable`; commands are ignored. */
  | { readonly state: "unusable" };

/** Serves the host's commands. Each runtime has its own entry file for the thread, which calls this once. */
export function serveThread(platform: ThreadPlatform): void {
  const { port } = platform;
  const { mark: word } = workerData as ThreadData;
  const now = () => performance.now();
  const numbers = new UpstreamNumbers();
  const outbox = new Outbox(port, now, packFromThread(numbers));
  const upstreams = new Map<string, Slot>();
  /** The lags that no heartbeat has reported yet. The host asks each second, until the exit. */
  const lags: number[] = [];
  /** Known from the first `open` on; all upstreams of the thread have it in common. */
  let budget: Budget | undefined;

  const post = (message: FromThread, alone?: boolean): void => {
    if (lines.post(message)) giveUp(message);
    else outbox.push(message, alone);
  };

  /** Counts as taken what a blocking caller gets: it has one reply or page at a time. */
  const giveUp = (message: FromThread): void => {
    if (message.type === "settled" || message.type === "late") budget?.give("answers", countedBytes(message.outcome));
    else if (message.type === "page" && typeof message.page !== "string")
      budget?.give("pages", countedBytesOf(message.page));
  };

  const mark = new Mark(word, numbers);
  const mask = (name: string, text: string): string => {
    const slot = upstreams.get(name);
    return slot?.state === "open" ? slot.upstream.withoutSecrets(text) : text;
  };
  const reports = new ModuleReports(mark, { now, post, mask, takePrints: platform.takePrints });
  const end = reports.endOnExceptions(() => outbox.flush());

  /** Undefined until the first upstream is shared: what a cluster needs is loaded only then. */
  let cluster: Promise<Joined> | undefined;
  const join = async (first: ThreadCluster, upstream: string, holder: string | undefined): Promise<Joined> => {
    const { joinCluster } = await import("./join-cluster.ts");
    const report = (event: "clustered" | "cluster_fault", text: string) =>
      post({ type: "report", upstream, report: { event, text } });
    return joinCluster(first, holder && hostOf(holder), { now, report });
  };

  const load = async (command: OpenCommand, work: Work): Promise<Loaded | undefined> => {
    const { upstream: name, settings, epochs, memory, tally: cells, traces, tapeBytes } = command;
    const threw = (what: string, error: unknown) => reports.threw(name, what, error);
    try {
      await preparePatterns(settings);
      const protocol = await loadProtocol(settings.protocol, threw);
      const [fault] = faultsOfFrames(protocol, settings);
      if (fault) throw new Error(`${fault.path.join(".")} ${fault.what}`);
      budget ??= new Budget(memory.budget, memory.side);
      const trace = traces ? new FrameTrace((frame) => post({ type: "traced", upstream: name, frame })) : undefined;
      const tape =
        tapeBytes === undefined
          ? undefined
          : new FrameTape(tapeBytes, Date.now, (entry) => post({ type: "taped", upstream: name, entry }));
      const tally = tallyIn(cells);
      if (command.cluster) cluster ??= join(command.cluster, name, command.holder);
      const joined = command.cluster && (await cluster?.catch(notJoined));
      const shared = joined?.share(name, settings, { holder: command.holder, now, post, work, budget, tally });
      const own = { now, post: shared?.post ?? post, work, threw, mayWrite: shared?.fence, log: shared?.log };
      const env = { ...own, network: platform.network, budget, tally, trace, tape };
      const upstream = new Upstream(name, settings, protocol, env, epochs);
      post({ type: "opened", upstream: name, protocol: upstream.traits });
      if (shared) shared.start(upstream);
      else if (!settings.template) work(() => upstream.start(), undefined);
      return { upstream, handle: (each) => (shared ?? upstream).handle(each) };
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      post({
        type: "unusable",
        upstream: name,
        detail: error instanceof NotJoined ? detail : `the protocol: ${detail}`,
      });
      return undefined;
    }
  };

  const open = async (command: OpenCommand): Promise<void> => {
    const waiting: UpstreamCommand[] = [];
    numbers.set(command.upstream, command.number);
    const work = mark.workOf(command.number);
    reports.add(command.upstream, command.settings);
    upstreams.set(command.upstream, { state: "busy", waiting, work });
    const loaded = await load(command, work);
    if (loaded) await serve(loaded, work, command.upstream, waiting);
    else upstreams.set(command.upstream, { state: "unusable" });
  };

  /** Handles the commands that wait, and those that arrive meanwhile, in order. */
  const serve = async (loaded: Loaded, work: Work, name: string, waiting: UpstreamCommand[]): Promise<void> => {
    upstreams.set(name, { state: "busy", waiting, work });
    const { handle } = loaded;
    for (let command = waiting.shift(); command; command = waiting.shift()) {
      if (needsPatterns(command)) await preparePatterns(command.settings);
      else if (isLarge(command)) await new Promise<void>(takeUrgentTurn);
      work(handle, command);
      if (command.type === "remove") return forget(name);
    }
    upstreams.set(name, { state: "open", work, ...loaded });
  };

  const forget = (name: string): void => {
    upstreams.delete(name);
    numbers.remove(name);
    reports.remove(name);
  };

  const stop = async (): Promise<void> => {
    // A cluster that could not be joined, or left, must not keep the thread.
    await cluster?.then((joined) => joined.end(LEAVE_MS)).catch(() => {});
    outbox.push({ type: "stopped", upstream: "*" });
    outbox.flush();
    // The only call that ends a thread from within on both runtimes. Messages posted before it still arrive.
    end(0);
  };

  const handle = (message: ToThread): void => {
    switch (message.type) {
      case "open":
        void open(message);
        break;
      case "heartbeat":
        outbox.push({ ...message, lagMs: lags.splice(0) });
        break;
      case "line":
        lines.open(message);
        break;
      case "unline":
        lines.close(message.line);
        break;
      case "end":
        void stop();
        break;
      default: {
        const slot = upstreams.get(message.upstream);
        if (slot?.state === "busy") slot.waiting.push(message);
        else if (slot?.state === "open" && takesTime(message)) void serve(slot, slot.work, message.upstream, [message]);
        else if (slot?.state === "unusable" && message.type === "remove") forget(message.upstream);
        else if (slot?.state === "open") slot.work(slot.handle, message);
      }
    }
  };

  new EventLoopLag(now, (ms) => {
    if (lags.length < LAGS_MAX) lags.push(ms);
  });
  const lines = new ThreadLines({ now, handle, receiver: (take) => receiver(now, numbers, take) });
  port.on("message", receiver(now, numbers, handle));
  outbox.push({ type: "ready", upstream: "*" });
  outbox.flush();
}

/** The cluster could not be joined. */
class NotJoined extends Error {}

function notJoined(error: unknown): never {
  throw new NotJoined(`the cluster: ${error instanceof Error ? error.message : String(error)}`);
}

/** The time for the last answers to other members to be sent, in milliseconds. */
const LEAVE_MS = 300;
/** The most lags that wait for a heartbeat: those of a quarter of a minute. */
const LAGS_MAX = 64;
function needsPatterns(command: UpstreamCommand): command is CommandOf<"subscribe" | "reconfigure"> {
  return command.type === "subscribe" || command.type === "reconfigure";
}

/** True for a command after which the upstream may not be open at once, or any more. */
function takesTime(command: UpstreamCommand): boolean {
  return needsPatterns(command) || command.type === "remove" || isLarge(command);
}

/** True for a request that takes some milliseconds to be checked and written: each has a turn. */
function isLarge(command: UpstreamCommand): boolean {
  return isMessage(command) && command.body.length > LARGE_TEXT;
}

/** True for a message of a caller, with its deadline. */
function isMessage(command: ToThread): command is CommandOf<"request" | "send"> {
  return command.type === "request" || command.type === "send";
}

/**
 * Receives the batches of one sender, and hands on their messages with times by this thread's clock. The difference of
 * the two clocks is measured by each batch, plus the time that the batch took to arrive, so the smallest value is the
 * best. The first alone would not do: after a slow start, it would postpone every deadline for good.
 */
function receiver(
  now: () => number,
  numbers: UpstreamNumbers,
  handle: (message: ToThread) => void,
): (batch: MessageBatch<RowToThread>) => void {
  let skew = Number.POSITIVE_INFINITY;
  return (batch) => {
    const measured = now() - batch.at;
    skew = Math.min(skew, measured);
    const delayMs = measured - skew;
    unpackToThread(batch.row, { numbers, skew }, (message) => {
      // The host's bound began when it posted this: a busy thread has that much less of it.
      if (message.type === "close") handle({ ...message, withinMs: Math.max(0, message.withinMs - delayMs) });
      else handle(message);
    });
  };
}
