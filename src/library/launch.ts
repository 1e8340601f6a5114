/** The start of the upstreams of one program, on threads that share one exit and one budget of memory. */

import process from "node:process";
import { pathToFileURL } from "node:url";
import { checkWhole } from "../config/check-whole.ts";
import { type Checked, ConfigError, dotted } from "../config/problems.ts";
import { isModulePath } from "../config/protocol-settings.ts";
import { withEnvProxies } from "../config/proxy-settings.ts";
import { configSchema, type UpstreamSettings } from "../config/schema.ts";
import { upstreamSchema } from "../config/upstream-settings.ts";
import { memoryOf } from "../core/util/budget.ts";
import { refused } from "../errors.ts";
import { StopSignal } from "../http/stop-signal.ts";
import { preparePatterns } from "../protocols/lazy-pattern.ts";
import { runtime } from "../runtime/pick-runtime.ts";
import { besideThread } from "../runtime/thread.ts";
import { noHttpSide, Sidecars } from "../sidecar/host/sidecars.ts";
import type { ThreadReport } from "../sidecar/reports.ts";
import type { UpstreamOptions } from "../upstream-options.ts";
import type { AppFront, Inner } from "./inner.ts";
import { lineOrders } from "./line-orders.ts";
import type { SidecarOptions } from "./sidecar-options.ts";
import { findThreadFile } from "./thread-files.ts";
import { ThreadHold } from "./thread-hold.ts";

/** The options that a program gives once, however many upstreams it has. */
export type LaunchOptions = Pick<SidecarOptions, "shutdown" | "onReport" | "threadFile">;

/** @internal @throws SidesocketError `invalid_config` if an option is invalid or a protocol cannot be loaded */
export async function launchOne(options: UpstreamOptions, launch: LaunchOptions): Promise<Inner> {
  await preparePatterns(options);
  const settings = demand(await checkWhole(upstreamSchema, optionsWithProxies({ default: options })["default"]));
  const [inner] = await launchAll(new Map([["default", settings]]), launch);
  if (!inner) throw new RangeError("unreachable: one upstream was given");
  return inner;
}

/** @internal @throws SidesocketError as `launchOne` does */
export async function launchNamed(upstreams: object, launch: LaunchOptions): Promise<readonly Inner[]> {
  await preparePatterns(upstreams);
  const { upstreams: all = {} } = demand(await checkWhole(configSchema, { upstreams: optionsWithProxies(upstreams) }));
  return await launchAll(new Map(Object.entries(all)), launch);
}

/** @throws SidesocketError `invalid_config` if a variable that names a proxy is wrong or may not be read */
function optionsWithProxies(upstreams: object): Readonly<Record<string, unknown>> {
  try {
    return withEnvProxies(upstreams, process.env).upstreams as Record<string, unknown>;
  } catch (error) {
    if (error instanceof ConfigError) throw refused("invalid_config", error.message);
    throw error;
  }
}

async function launchAll(
  given: ReadonlyMap<string, UpstreamSettings>,
  { shutdown, onReport = printReport, threadFile }: LaunchOptions,
): Promise<readonly Inner[]> {
  const { shutdown: bounds } = demand(await checkWhole(configSchema, { shutdown }));
  const settings = new Map([...given].map(([name, upstream]) => [name, withModuleFound(upstream)]));
  for (const { webhooks, instances } of settings.values()) {
    if (webhooks.length > 0)
      throw refused("invalid_config", "webhooks: only the service pushes messages; read them with messages()");
    if (instances)
      throw refused("invalid_config", "instances: only the service has them; start a sidecar for each of your own");
  }
  const front: AppFront = { refusing: false, serving: false, stopping: new StopSignal() };
  const refuse = () => {
    front.refusing = true;
  };
  const http = { ...noHttpSide, refuse, stop: () => front.stopping.now() };
  const hold = new ThreadHold(findThreadFile("threadFile", threadFile, besideThread));
  const memory = memoryOf({ memory: "auto" }, runtime.memoryLimit);
  const sidecars = new Sidecars(settings, bounds, hold.start, http, memory);
  const clients = [...sidecars.upstreams.values()];
  for (const client of clients) {
    client.onReport(onReport);
    client.lines.takeOrders(lineOrders(client));
  }
  try {
    await sidecars.opened();
  } catch (error) {
    await sidecars.exit({ cause: "start failed" });
    throw error;
  }
  return clients.map((client) => ({ sidecars, client, front, hold }));
}

/** Resolves relative paths of modules against the current folder: the thread would use that of its own file. */
function withModuleFound(settings: UpstreamSettings): UpstreamSettings {
  const { protocol, credentials } = settings;
  const found = (path: string) => (isModulePath(path) && !path.startsWith("file:") ? pathToFileURL(path).href : path);
  return {
    ...settings,
    ...(typeof protocol === "string" && { protocol: found(protocol) }),
    ...(credentials !== undefined && { credentials: found(credentials) }),
  };
}

function printReport({ event, text }: ThreadReport): void {
  console.error(`sidesocket: a module on the thread ${event === "dying" ? "ended it with" : event}: ${text}`);
}

function demand<Output>(checked: Checked<Output>): Output {
  if ("value" in checked) return checked.value;
  throw refused("invalid_config", checked.problems.map(({ path, what }) => `${dotted(path)} ${what}`).join("; "));
}
