/** The HTTP API in front of a program's own sidecars, as a fetch handler. */

import type { Hono } from "hono";
import { configSchema } from "../config/schema.ts";
import { BEARER_TOKEN } from "../config/wire.ts";
import { Budget, memoryOf } from "../core/util/budget.ts";
import { refused } from "../errors.ts";
import { buildApp } from "../http/app.ts";
import { partsOf, Tokens } from "../http/callers.ts";
import { Metrics } from "../http/metrics/registry.ts";
import { namedUpstream } from "../http/named-upstream.ts";
import { Quotas } from "../http/quotas.ts";
import { ReplyKeeper } from "../http/reply-keeper.ts";
import { StopSignal } from "../http/stop-signal.ts";
import { runtime } from "../runtime/pick-runtime.ts";
import type { ExitReport } from "../sidecar/exit-report.ts";
import { Telemetry } from "../telemetry/telemetry.ts";
import { version } from "../version.ts";
import type { NamedSidecar } from "./create-sidecars.ts";
import { innerOf } from "./inner.ts";
import { demandKnown, type OptionNames } from "./option-names.ts";

/** The HTTP API as a Hono app: serve its `fetch`, or mount it in an app of yours. */
export type App = Hono;

export interface AppOptions {
  /** Bearer tokens of the API, each `NAME:TOKEN` or only the token. By default it requires none. */
  readonly tokens?: readonly string[];
  /** Serves `/shutdown` even without tokens, to anyone who can reach the app. By default it is 403 then. */
  readonly openShutdown?: boolean;
  /** Allowed values of `Host`. By default any. */
  readonly hosts?: readonly string[];
  /** Web origins that may call from a browser. By default none. */
  readonly origins?: readonly string[];
  /**
   * Rules for browsers about pages of `origins`: headers that they may send besides those of the API and of traces,
   * and the time for which a browser may remember it, in milliseconds. By default none, and ten minutes.
   */
  readonly cors?: { readonly allowHeaders?: readonly string[]; readonly maxAgeMs?: number };
  /** Serves the pages for people, at `/` and `/docs`. By default it does. */
  readonly page?: boolean;
  /** Called with errors that are sidesocket's own fault. By default they are printed with `console.error`. */
  readonly onFault?: (error: unknown, requestId: string) => void;
}

const CORS_MAX_AGE_MS = 600_000;

const OPTIONS: OptionNames<AppOptions> = {
  tokens: true,
  openShutdown: true,
  hosts: true,
  origins: true,
  cors: true,
  page: true,
  onFault: true,
};

/**
 * Creates the HTTP API for your own sidecars: a Hono app, whose `fetch` works on any server. `/shutdown` runs the exit
 * of the sidecars and does not end the process; it needs a token, unless `openShutdown` is set.
 * @param sidecars the sidecars by the names that the API uses for them
 */
export function createApp(sidecars: Readonly<Record<string, NamedSidecar>>, options: AppOptions = {}): App {
  demandKnown(options, OPTIONS, "createApp", "invalid_config");
  const { tokens = [], openShutdown = false, hosts, origins = [], cors = {}, page = true } = options;
  const { onFault = (error) => console.error(error) } = options;
  if (!tokens.every((token) => BEARER_TOKEN.test(partsOf(token).text)))
    throw refused("invalid_config", "tokens: a token may have only letters, digits and - . _ ~ + / =");
  const all = Object.entries(sidecars).map(([name, sidecar]) => {
    const inner = innerOf.get(sidecar);
    if (!inner) throw new TypeError(`${name} is not a Sidecar of this copy of sidesocket`);
    inner.front.serving = true;
    return { name, ...inner };
  });
  const known = new Tokens(tokens);
  const upstreams = new Map(all.map(({ name, client }) => [name, namedUpstream(client, name)]));
  const telemetry = new Telemetry();
  for (const { name, client } of all) telemetry.watch(name, client);
  const budget = Budget.alone(memoryOf({ memory: "auto" }, runtime.memoryLimit));
  const stopping = new StopSignal();
  for (const { front } of all) front.stopping.on(() => stopping.now());
  const metrics = new Metrics(telemetry);
  stopping.on(() => metrics.stop());
  const app = buildApp({
    upstreams,
    access: {
      tokens: known,
      shutdownTokens: known,
      openShutdown,
      hosts: hosts && new Set(hosts.map((host) => host.toLowerCase())),
      origins,
      cors: { allowHeaders: cors.allowHeaders ?? [], maxAgeMs: cors.maxAgeMs ?? CORS_MAX_AGE_MS },
    },
    page,
    webhooks: new Map(),
    budget,
    quotas: Quotas.of({}, known.shares > 1, upstreams, budget),
    keeper: new ReplyKeeper(configSchema.parse({}).replies, budget, { keys: undefined, shared: known.identities > 1 }),
    telemetry,
    metrics,
    about: { version, runtime: `${runtime.name} ${runtime.version}` },
    onFault,
    lifecycle: {
      get ready() {
        return !all.some((each) => each.sidecars.exiting);
      },
      get accepting() {
        return !all.some(({ front }) => front.refusing);
      },
      stopping,
      async exit({ cause, force }) {
        return worstOf(await Promise.all(all.map((each) => each.sidecars.exit({ cause, force }))));
      },
    },
  });
  // Its bindings and variables are ours: an app of yours has others.
  return app as Hono<object> as App;
}

function worstOf(reports: readonly ExitReport[]): ExitReport {
  const [worst] = [...reports].sort((a, b) => b.exit_code - a.exit_code || b.ms - a.ms);
  if (!worst) return { cause: "/shutdown", forced: false, exit_code: 0, ms: 0, steps: [] };
  return worst;
}
