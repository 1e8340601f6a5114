/** The command `sidesocket probe`: a guess at what an upstream speaks, as a configuration to start from. */

import type { ProbeCommand } from "../config/commandline.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { UpstreamSettings } from "../config/schema.ts";
import { memoryOf } from "../core/util/budget.ts";
import { deferred } from "../core/util/deferred.ts";
import { startLog } from "../logs/log.ts";
import { demandPermissions } from "../permissions/demand-permissions.ts";
import { hintsFor, type Proposal, proposalsFor } from "../probe/guess.ts";
import { type Look, OFFERS, SOCKET_IO_PATH } from "../probe/signs.ts";
import { textOf } from "../protocols/json-message.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { withoutQuery } from "../secrets/secrets.ts";
import { loadForProcess } from "../service/process-config.ts";
import { endOnSignals } from "../service/signals.ts";
import type { TapeEntry } from "../sidecar/contract.ts";
import { isJoined } from "../sidecar/exit-report.ts";
import { noHttpSide, Sidecars } from "../sidecar/host/sidecars.ts";
import type { Tape } from "../sidecar/host/upstream-client.ts";
import { type CommandEnd, UNREAD } from "./failed.ts";
import { LineOutput } from "./line-output.ts";
import { durationOption } from "./measures.ts";

const UNSURE = 1;
const UNREACHABLE = 3;
const NOT_JOINED = 70;

/** Failures that another offer would not mend, in the words of core/connection/disconnect.ts. */
const UNREACHED = /could not be reached|could not be resolved|TLS to the upstream failed|HTTP 40[137]/;

const LOOK_MS = 5_000;
/** The longest look at a connection with an offer: what it agrees on is known when it is open. */
const OFFER_MS = 500;
/** The most bytes and frames to look at, of each connection. */
const LOOK_BYTES = 256 * 1024;
const LOOK_FRAMES = 20;

export async function probe({ flags, options, url }: ProbeCommand, runtime: Runtime): Promise<CommandEnd> {
  const lookMs = durationOption("for", options.for) ?? LOOK_MS;
  const config = await loadForProcess({ ...flags, upstream: url });
  startLog({ ...config.log, level: "fatal" });
  await demandPermissions({ upstreams: config.upstreams, sources: config.sources });
  const [settings] = config.upstreams.values();
  if (!settings) throw new RangeError("unreachable: there is one upstream");
  const looking = new Looking(config, runtime);
  const giveSignalsBack = endOnSignals(runtime.endingSignals, () => looking.stop());

  const first = await looking.look([plain(settings)], lookMs);
  const isCertain = proposalsFor(first).some(({ sureness }) => sureness === "certain");
  const isPointless = isCertain || first.some(({ why = "" }) => UNREACHED.test(why));
  const rest = isPointless ? [] : await looking.look(offersOf(settings), Math.min(lookMs, OFFER_MS));
  giveSignalsBack();

  const looks = [...first, ...rest];
  const proposals = proposalsFor(looks);
  const output = new LineOutput(runtime);
  try {
    await output.line(reportOf(settings.url, looks, proposals));
  } catch {
    return { exitCode: UNREAD, joined: looking.joined };
  }
  const isOpen = looks.some(({ open }) => open);
  const isSure = proposals.some(({ sureness }) => sureness !== "possible");
  const exitCode = !looking.joined ? NOT_JOINED : !isOpen ? UNREACHABLE : isSure ? 0 : UNSURE;
  return { exitCode, joined: looking.joined };
}

/** A connection to look at. */
interface View {
  readonly url: string;
  readonly offered: string | undefined;
  readonly settings: UpstreamSettings;
}

/** The settings of a connection that only listens. */
function listening(settings: UpstreamSettings, url: string, subprotocols: readonly string[]): UpstreamSettings {
  const { keepalive, reconnect } = settings;
  return {
    ...settings,
    url,
    subprotocols: [...subprotocols],
    protocol: "text",
    greeting: [],
    farewell: [],
    subscriptions: {},
    webhooks: [],
    failover: [],
    keepalive: { ...keepalive, ping: null, heartbeat: null },
    // One attempt shows what there is to see.
    reconnect: { ...reconnect, from: reconnect.refused, to: reconnect.refused },
  };
}

function plain(settings: UpstreamSettings): View {
  const { url, subprotocols } = settings;
  return { url, offered: subprotocols[0], settings: listening(settings, url, subprotocols) };
}

function offersOf(settings: UpstreamSettings): readonly View[] {
  const { url, subprotocols } = settings;
  const offers = subprotocols.length > 0 ? [] : OFFERS;
  const views = offers.map((offered) => ({ url, offered, settings: listening(settings, url, [offered]) }));
  const engine = new URL(SOCKET_IO_PATH, url).href;
  return [...views, { url: engine, offered: undefined, settings: listening(settings, engine, []) }];
}

/** Looks at connections, all of a call at once, and closes them in order. */
class Looking {
  joined = true;
  readonly #config: LoadedConfig;
  readonly #runtime: Runtime;
  readonly #stopped = deferred<void>();

  constructor(config: LoadedConfig, runtime: Runtime) {
    this.#config = config;
    this.#runtime = runtime;
  }

  stop(): void {
    this.#stopped.resolve();
  }

  async look(views: readonly View[], lookMs: number): Promise<readonly Look[]> {
    const { shutdown, limits } = this.#config;
    const watched = new Map(views.map((view, index) => [String(index), new WatchedConnection(view, lookMs)]));
    const memory = memoryOf(limits, this.#runtime.memoryLimit);
    const settings = new Map(views.map((view, index) => [String(index), view.settings]));
    const { startThread } = this.#runtime;
    const sidecars = new Sidecars(settings, shutdown, startThread, noHttpSide, memory, undefined, (name) =>
      watched.get(name),
    );
    await Promise.race([Promise.all([...watched.values()].map(({ done }) => done)), this.#stopped.promise]);
    const looks = [...watched.values()].map(({ seen }) => seen);
    this.joined &&= isJoined(await sidecars.exit({ cause: "probe" }));
    return looks;
  }
}

/** A connection that is watched until its time is over, or it ends. */
class WatchedConnection implements Tape {
  readonly bytes = LOOK_BYTES;
  #seen: Look;
  readonly #lookMs: number;
  readonly #done = deferred<void>();
  readonly #timer: NodeJS.Timeout;

  constructor({ url, offered, settings }: View, lookMs: number) {
    this.#seen = { url, offered, open: false, subprotocol: "", frames: [] };
    this.#lookMs = lookMs;
    this.#timer = setTimeout(() => this.#end(), settings.connect_within + lookMs);
  }

  get seen(): Look {
    return this.#seen;
  }

  get done(): Promise<void> {
    return this.#done.promise;
  }

  onEntry(entry: TapeEntry): void {
    switch (entry.event) {
      case "open":
        this.#seen = { ...this.#seen, open: true, subprotocol: entry.subprotocol };
        setTimeout(() => this.#end(), this.#lookMs).unref();
        break;
      case "received":
        if (this.#seen.frames.length < LOOK_FRAMES)
          this.#seen = { ...this.#seen, frames: [...this.#seen.frames, textOf(entry.frame)] };
        break;
      case "close":
        this.#seen = { ...this.#seen, close: entry, why: entry.why };
        this.#end();
        break;
      case "failed":
        this.#seen = { ...this.#seen, why: entry.why };
        this.#end();
        break;
      case "full":
        this.#end();
    }
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#done.resolve();
  }
}

/** The surest proposal as a configuration file, and everything else as its comments. */
function reportOf(given: string, looks: readonly Look[], proposals: readonly Proposal[]): string {
  const url = withoutQuery(new URL(given));
  const failed = looks.every(({ open }) => !open);
  const why = looks[0]?.why;
  const head = failed ? [`# ${url} cannot be opened${why === undefined ? "" : `: ${why}`}`] : [`# ${url}`];
  const hints = hintsFor(looks).map((hint) => `# ${hint}`);
  const shown = proposals.flatMap(({ dialect, sureness, reasons, settings }) => [
    `# ${sureness}: ${dialect}, because ${reasons.join(", and ")}`,
    ...(settings ? [] : ["#   there is no preset for it: describe it by rules, or write a module (docs/protocols.md)"]),
  ]);
  if (proposals.length === 0 && !failed) shown.push("# nothing that is known: see sidesocket presets");
  const best = proposals.find(({ settings }) => settings !== undefined);
  if (best !== proposals[0] || !best?.settings) return [...head, ...hints, ...shown].join("\n");
  const lines = [urlLine(best.url), ...best.settings].map((line) => `    ${line}`);
  return [...head, ...hints, ...shown, "upstreams:", "  default:", ...lines].join("\n");
}

/** The address without what may be a secret in it. */
function urlLine(url: string): string {
  const shown = withoutQuery(new URL(url)).replace(/\?…$/, "");
  const isWhole = shown === new URL(url).href;
  return `url: ${JSON.stringify(shown)}${isWhole ? "" : "   # put in its credentials, and its query"}`;
}
