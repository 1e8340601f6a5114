/** The service of one process: the listener, the sidecars, the demo, and their common end. */

import { demoUpstreams } from "../config/demo-settings.ts";
import { serviceAddress } from "../config/listen-settings.ts";
import type { LoadedConfig } from "../config/load.ts";
import { CERTIFICATE } from "../config/reload-plan.ts";
import { memoryOf } from "../core/util/budget.ts";
import { deferred } from "../core/util/deferred.ts";
import type { DemoUpstream } from "../demo/demo-upstream.ts";
import { type Failure, refused } from "../errors.ts";
import { buildApp } from "../http/app.ts";
import { belowApp } from "../http/below-app.ts";
import { answersFor } from "../http/call/held-reply.ts";
import { lastResponse } from "../http/last-response.ts";
import { Metrics } from "../http/metrics/registry.ts";
import { buildMetricsApp } from "../http/metrics-app.ts";
import type { AppParts } from "../http/ports.ts";
import { StopSignal } from "../http/stop-signal.ts";
import { Instances } from "../instances/instance-registry.ts";
import { log } from "../logs/log.ts";
import { logPressure } from "../logs/pressure-log.ts";
import { logRequests } from "../logs/request-log.ts";
import type { SocketFile } from "../net/socket-file.ts";
import { withinDescriptors } from "../permissions/descriptor-limit.ts";
import { type LoadAgain, type Reloadable, Reloader } from "../reload/reloader.ts";
import type { Listener, ListenOptions, Runtime } from "../runtime/runtime.ts";
import type { ExitReport, HttpSide } from "../sidecar/host/exit.ts";
import type { ExitOptions, TapeOf } from "../sidecar/host/sidecars.ts";
import { Telemetry } from "../telemetry/telemetry.ts";
import { version } from "../version.ts";
import { CallerRules } from "./caller-rules.ts";
import { socketFault } from "./listen-cures.ts";
import { ServedUpstreams } from "./served-upstreams.ts";

/** Builds everything from a configuration and owns its life. */
export class Service {
  #config: LoadedConfig;
  readonly #runtime: Runtime;
  readonly #stopping = new StopSignal();
  /** Connections that wait for the report of the exit: they are cut last. */
  readonly #kept = new Set<object>();
  readonly #served: ServedUpstreams;
  readonly #instances: Instances;
  readonly #rules: CallerRules;
  readonly #demo: DemoUpstream | undefined;
  readonly #telemetry: Telemetry;
  readonly #listener: Listener;
  #reloader: Reloader | undefined;
  /** The listener of its own for metrics, if it is configured. */
  #metricsListener: Listener | undefined;
  /** Resolves when the listener does not accept connections any more. */
  #deaf = new Promise<Failure>(() => {});
  #ready = true;
  #accepting = true;
  readonly #endPressureLog: () => void;
  readonly #ended = deferred<ExitReport>();

  private constructor(
    config: LoadedConfig,
    runtime: Runtime,
    demo: DemoUpstream | undefined,
    listener: Listener,
    telemetry: Telemetry,
    tapeOf: TapeOf | undefined,
  ) {
    this.#config = config;
    this.#runtime = runtime;
    this.#demo = demo;
    this.#listener = listener;
    this.#telemetry = telemetry;
    const upstreams = demo ? demoUpstreams(demo) : config.upstreams;
    const memory = memoryOf(config.limits, runtime.memoryLimit);
    const cluster = config.cluster && { settings: config.cluster, replies: config.replies };
    const { shutdown } = config;
    this.#served = new ServedUpstreams(upstreams, shutdown, runtime, this.#front, memory, telemetry, tapeOf, cluster);
    this.#instances = new Instances(this.#served.sidecars, telemetry);
    this.#rules = new CallerRules(config, listener.port, this.#served.sidecars);
    this.#served.sidecars.answerHeld = answersFor(this.#rules.keeper, this.#stopping);
    this.#endPressureLog = logPressure(this.#served.sidecars.budget);
    logRequests(telemetry);
  }

  /**
   * Starts listening, then the threads. When it resolves the service can be ended; loading and connecting go on.
   * Rejects with the system's error if it cannot listen.
   */
  static async start(config: LoadedConfig, runtime: Runtime, loadAgain: LoadAgain, tapeOf?: TapeOf): Promise<Service> {
    const demo = config.demo ? await (await import("../demo/demo-upstream.ts")).startDemo() : undefined;
    const app = deferred<ReturnType<typeof buildApp>>();
    let fetch: ListenOptions["fetch"] = async (request, env) => (await app.promise).fetch(request, env as object);
    const descriptorsMax = runtime.descriptorsMax();
    const connectionsMax = withinDescriptors(config, descriptorsMax);
    const deaf = deferred<Failure>();
    const telemetry = new Telemetry();
    const refusal: ListenOptions["refusal"] = (status, detail) => {
      const response = belowApp(status, detail);
      telemetry.refusedBelowApp(response.request, response.failure);
      return response;
    };
    // Listen first: if the address is in use, no upstream must be contacted. Early requests wait for the app.
    const listener = await runtime
      .listen({
        fetch: (request, env) => fetch(request, env),
        host: config.listen.host,
        port: config.listen.port,
        socket: socketOf(config.listen),
        tls: config.certificate && {
          certificate: config.certificate,
          minVersion: config.listen.tls?.min_version ?? "1.2",
        },
        keepAliveMs: config.listen.keep_alive,
        connectionsMax,
        onFull: warnFull(connectionsMax),
        onDeaf: () => deaf.resolve(refused("congested", DEAF).failure),
        lastResponse: lastResponse(),
        refusal,
      })
      .catch(async (error: unknown) => {
        await demo?.stop();
        throw config.listen.path === undefined ? error : socketFault(config.listen.path, error);
      });
    const metricsApp = deferred<ReturnType<typeof buildMetricsApp>>();
    const metricsListener = await listenForMetrics(config, runtime, metricsApp.promise, refusal).catch(
      async (error: unknown) => {
        listener.close();
        await demo?.stop();
        throw error;
      },
    );
    const { connections } = config.listen;
    if (connectionsMax < connections) {
      const cause = `the limit of descriptors is ${descriptorsMax} (raise it with ulimit -n)`;
      log.warn(`listen.connections is ${connectionsMax} instead of ${connections}: ${cause}`);
    }
    const service = new Service(config, runtime, demo, listener, telemetry, tapeOf);
    service.#deaf = deaf.promise;
    service.#reloader = new Reloader(config, loadAgain, service.#reloadable);
    const parts = service.#parts();
    const built = buildApp(parts);
    app.resolve(built);
    if (metricsListener) {
      service.#metricsListener = metricsListener;
      metricsApp.resolve(buildMetricsApp(parts, service.#rules.metricsAccess(config.listen, metricsListener.port)));
    }
    fetch = (request, env) => built.fetch(request, env as object);
    // Not before: the start is not to wait for it.
    service.opened.then(
      () => listener.prepare(),
      () => {}, // The exit is under way.
    );
    return service;
  }

  /** The base URL, such as `http://host:port`, or `unix:` and the path of the socket. */
  get url(): string {
    return serviceAddress(this.#config.listen, this.#listener.port);
  }

  get demoUrl(): string | undefined {
    return this.#demo?.url;
  }

  /** Resolves when every upstream is served; rejects if one never will be. */
  get opened(): Promise<void> {
    return this.#served.sidecars.opened();
  }

  /** Resolves with the reason when the service cannot go on. */
  get failing(): Promise<Failure> {
    return Promise.race([this.#served.sidecars.failing, this.#deaf]);
  }

  /** Resolves at the end of the exit, whatever its cause: the process may end now. */
  get ended(): Promise<ExitReport> {
    return this.#ended.promise;
  }

  /** Runs the exit protocol, once however often it is called. `force` sets the remaining bounds to zero. */
  exit(options: ExitOptions): Promise<ExitReport> {
    const first = !this.#served.sidecars.exiting;
    const report = this.#served.sidecars.exit(options);
    if (first) report.then((done) => this.#answer().then(() => this.#end(done)));
    return report;
  }

  #end(report: ExitReport): void {
    this.#reloader?.end();
    this.#endPressureLog();
    this.#ended.resolve(report);
  }

  /** Step 5 of the exit: sends the report to the callers of `/shutdown`, then closes the listener. */
  async #answer(): Promise<void> {
    const listener = this.#listener;
    await this.#demo?.stop();
    const { answer } = this.#config.shutdown;
    await listener.lull(answer);
    const listeners = [listener, this.#metricsListener ?? []].flat();
    for (const each of listeners) each.close();
    await Promise.all(listeners.map((each) => each.answered(answer)));
  }

  readonly #front: HttpSide = {
    unready: () => {
      this.#ready = false;
      this.#listener.retire();
      this.#metricsListener?.retire();
    },
    refuse: () => {
      this.#accepting = false;
    },
    stop: () => this.#stopping.now(),
    flushed: () => this.#listener.flushed(this.#kept),
    cut: () => this.#listener.cut(this.#kept),
  };

  /** Reloads the configuration. Rejects with a SidesocketError if nothing has changed because something is wrong. */
  async reload(cause: string): Promise<void> {
    await this.#reloader?.run(cause);
  }

  get #reloadable(): Reloadable {
    const { sidecars } = this.#served;
    return {
      get exiting() {
        return sidecars.exiting;
      },
      carryOut: async (plan) => {
        const change = await this.#served.prepare(plan);
        // An exit that has begun ends what was prepared, too.
        if (sidecars.exiting) throw refused("shutting_down", "the service is shutting down: nothing is reloaded");
        this.#config = plan.after.config;
        const { certificate } = plan.after.config;
        if (certificate && plan.applied.includes(CERTIFICATE)) this.#listener.renew(certificate);
        const isGone = change();
        this.#rules.reconfigure(plan);
        const { tokens } = this.#rules.access;
        await Promise.all([isGone, this.#instances.follow(plan.upstreams, (owner) => tokens.admitsOwner(owner))]);
      },
    };
  }

  #parts(): AppParts {
    const service = this;
    const { sidecars, webhooks } = this.#served;
    const { access, keeper } = this.#rules;
    return {
      upstreams: sidecars.upstreams,
      instances: this.#instances,
      access,
      page: this.#config.listen.page,
      webhooks,
      budget: sidecars.budget,
      get quotas() {
        return service.#rules.quotas;
      },
      keeper,
      reload: this.#reloader,
      telemetry: this.#telemetry,
      metrics: new Metrics(this.#telemetry),
      about: {
        version,
        runtime: `${this.#runtime.name} ${this.#runtime.version}`,
      },
      onFault: (error, requestId) => log.error("internal error", { requestId, error }),
      lifecycle: {
        get ready() {
          return service.#ready;
        },
        get accepting() {
          return service.#accepting;
        },
        stopping: this.#stopping,
        exit: ({ connection, ...options }) => {
          if (connection) this.#kept.add(connection);
          log.info("shutdown requested", {
            cause: options.cause,
            force: options.force,
            address: connection?.remoteAddress,
          });
          return this.exit(options);
        },
      },
    };
  }
}

/** Connections to the listener of the metrics: a few scrapers keep one each. */
const SCRAPERS_MAX = 64;

/** Listens for scrapes, if that is configured. Early ones wait for the app. */
async function listenForMetrics(
  { listen }: LoadedConfig,
  runtime: Runtime,
  app: Promise<ReturnType<typeof buildMetricsApp>>,
  refusal: ListenOptions["refusal"],
): Promise<Listener | undefined> {
  if (!listen.metrics) return undefined;
  const { host, port } = listen.metrics;
  const listener = await runtime.listen({
    fetch: async (request, env) => (await app).fetch(request, env as object),
    host,
    port,
    keepAliveMs: listen.keep_alive,
    connectionsMax: SCRAPERS_MAX,
    onFull: () => {},
    onDeaf: () => {},
    lastResponse: lastResponse(),
    refusal,
  });
  log.info(`metrics on ${serviceAddress({ host, port: listener.port })}/metrics`);
  return listener;
}

/** The mode of the socket's file: only this user may connect. */
const SOCKET_MODE = "600";

function socketOf({ path, mode = SOCKET_MODE }: LoadedConfig["listen"]): SocketFile | undefined {
  return path === undefined ? undefined : { path, mode: Number.parseInt(mode, 8) };
}

const DEAF =
  "the listener accepts no connections any more, as on Deno after the descriptors ran out: " +
  "raise the limit (ulimit -n), or lower listen.connections";

/** Warns at most once a minute: rejected clients try again. */
function warnFull(max: number): () => void {
  let warnedAt = Number.NEGATIVE_INFINITY;
  return () => {
    if (performance.now() - warnedAt < 60_000) return;
    warnedAt = performance.now();
    log.warn(`rejecting connections: ${max} are open already (listen.connections)`);
  };
}
