/** The last check of `sidesocket doctor`: the real connection with its login, and the exit protocol after it. */

import type { LoadedConfig } from "../config/load.ts";
import type { UpstreamSettings } from "../config/schema.ts";
import { memoryOf } from "../core/util/budget.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { endOnSignals } from "../service/signals.ts";
import { type ExitReport, isJoined } from "../sidecar/exit-report.ts";
import { noHttpSide, Sidecars } from "../sidecar/host/sidecars.ts";
import type { UpstreamClient } from "../sidecar/host/upstream-client.ts";
import type { UpstreamState } from "../sidecar/reports.ts";
import { type Finding, fail, ok, warn } from "./findings.ts";

/** The time that all steps of a greeting have together, in milliseconds; each has its own bound, too. */
const GREETING_WITHIN_MS = 60_000;

export interface LoginEnd {
  readonly findings: readonly Finding[];
  /** The report of the exit; undefined if there was nothing to connect to. */
  readonly report: ExitReport | undefined;
}

/** Connects to these upstreams as the service does, but subscribes to nothing and pushes nothing. */
export async function checkLogins(
  upstreams: ReadonlyMap<string, UpstreamSettings>,
  { shutdown, limits }: LoadedConfig,
  runtime: Runtime,
): Promise<LoginEnd> {
  if (upstreams.size === 0) return { findings: [], report: undefined };
  const quiet = [...upstreams].map(([name, settings]): [string, UpstreamSettings] => [
    name,
    { ...settings, subscriptions: {}, webhooks: [], failover: [] },
  ]);
  const memory = memoryOf(limits, runtime.memoryLimit);
  const sidecars = new Sidecars(new Map(quiet), shutdown, runtime.startThread, noHttpSide, memory);
  const giveSignalsBack = endOnSignals(runtime.endingSignals, (exit) => sidecars.exit(exit));
  const findings = await Promise.all([...sidecars.upstreams.values()].map(checkLogin));
  const report = await sidecars.exit({ cause: "doctor" });
  giveSignalsBack();
  return { findings: [...findings, checkExit(report)], report };
}

async function checkLogin(client: UpstreamClient): Promise<Finding> {
  const { name, settings } = client;
  const withinMs = settings.connect_within + GREETING_WITHIN_MS;
  const state = await settled(client, withinMs);
  if (state === undefined) return fail(`upstream ${name}: it was not ready within ${withinMs} ms`);
  if (state.phase === "ready") {
    const steps = settings.greeting.length === 0 ? "" : ", and the greeting is done";
    return ok(`upstream ${name}: the WebSocket is open${steps}`);
  }
  const reason = state.lastError ?? state.phase;
  return fail(`upstream ${name}: ${reason}`, LOGIN_CURES.find(([said]) => said.test(reason))?.[1]);
}

/** Resolves with the first state that is good, or that would be waited in. */
function settled(client: UpstreamClient, withinMs: number): Promise<UpstreamState | undefined> {
  return new Promise((resolve) => {
    const done = (state: UpstreamState | undefined): void => {
      clearTimeout(timer);
      forget();
      resolve(state);
    };
    const timer = setTimeout(() => done(undefined), withinMs);
    const forget = client.onState((state) => {
      if (["ready", "waiting", "refused", "closed"].includes(state.phase)) done(state);
    });
    client.failing.then(({ detail }) => done({ phase: "closed", attempts: 0, lastError: detail }));
  });
}

/** The cures by the descriptions of `core/connection/disconnect.ts`. */
const LOGIN_CURES: readonly (readonly [said: RegExp, cure: string])[] = [
  [/HTTP 40[137]/, "correct the token in its headers, its url or its file, and the permissions that it has there"],
  [/HTTP 3\d\d/, "put the address that it leads to into url"],
  [/HTTP (404|200|426)/, "correct the path of url: no WebSocket is served there"],
  [/HTTP (400|405)/, "correct the path, subprotocols and headers"],
  [/subprotocol/i, "set subprotocols to one that the upstream speaks"],
  [/handshake is invalid|HPE_/, "correct the port and the path of url: it is no WebSocket server"],
  [/connect_within/, "the host takes the connection and says nothing: correct url, or raise connect_within"],
  [/the greeting/, "correct the credentials and the steps of greeting"],
  [
    /could not be reached|the connection (ended|was)|closed the connection/,
    "look into the upstream's own log: it ends what it has accepted",
  ],
  [/could not be resolved: /, "correct the file or the module that gives the credentials"],
  [/the protocol: /, "correct the protocol module"],
];

function checkExit(report: ExitReport): Finding {
  if (!isJoined(report))
    return fail("exit: the thread could not be joined", "look for code that blocks in its modules");
  if (report.forced)
    return warn(`exit: forced after ${report.ms} ms`, "the upstream does not close in time (shutdown.close)");
  return ok(`exit: done in ${Math.round(report.ms)} ms`);
}
