/** The service of one process: the listener, the sidecars, the demo, and their common end. */

import { demoUpstreams } from "./config/demo-settings.ts";
import type { LoadedConfig } from "./config/load.ts";
import { answersAfterDelivery } from "./config/protocol-settings.ts";
import { isLoopback } from "./config/wire.ts";
import { type Budget, memoryOf } from "./core/util/budget.ts";
import { deferred } from "./core/util/deferred.ts";
import type { DemoUpstream } from "./demo/demo-upstream.ts";
import { withinDescriptors } from "./descriptor-limit.ts";
import { type Failure, refused } from "./errors.ts";
import { buildApp } from "./http/app.ts";
import { belowApp } from "./http/below-app.ts";
import { Tokens } from "./http/callers.ts";
import { farewell } from "./http/farewell.ts";
import { loopbackHosts } from "./http/guard.ts";
import { Metrics } from "./http/metrics/registry.ts";
import { buildMetricsApp } from "./http/metrics-app.ts";
import type { Access, AppParts, WebhookState } from "./http/ports.ts";
import { Quotas } from "./http/quotas.ts";
import { ReplyKeeper } from "./http/reply-keeper.ts";
import { StopSignal } from "./http/stop-signal.ts";
import { log } from "./log.ts";
import { logModules } from "./module-log.ts";
import { logPressure } from "./pressure-log.ts";
import { Webhook } from "./push/webhook.ts";
import { logRequests } from "./request-log.ts";
import type { Listener, ListenOptions, Runtime } from "./runtime/runtime.ts";
import type { ExitReport, HttpSide } from "./sidecar/host/exit.ts";
import { type ExitOptions, Sidecars } from "./sidecar/host/sidecars.ts";
import { Telemetry } from "./telemetry/telemetry.ts";
import { logUpstream } from "./upstream-log.ts";
import { version } from "./version.ts";

/** Builds everything from a configuration and owns its life. */
export class Service {
  readonly #config: LoadedConfig;
  readonly #runtime: Runtime;
  readonly #stopping = new StopSignal();
  /** Connections that wait for the report of the exit: they are cut last. */
  readonly #kept = new Set<object>();
  readonly #sidecars: Sidecars;
  readonly #demo: DemoUpstream | undefined;
  readonly #webhooks: ReadonlyMap<string, readonly Webhook[]>;
  readonly #telemetry: Telemetry;
  #listener: Listener | undefined;
  /** The listener of its own for metrics, if it is configured. */
  #metricsListener: Listener | undefined;
  /** Resolves when the listener does not accept connections any more. */
  #deaf = new Promise<Failure>(() => {});
  #ready = true;
  #accepting = true;
  readonly #endPressureLog: () => void;
  readonly #ended = deferred<ExitReport>();

  private constructor(config: LoadedConfig, runtime: Runtime, demo: DemoUpstream | undefined, telemetry: Telemetry) {
    this.#telemetry = telemetry;
    this.#config = config;
    this.#runtime = runtime;
    this.#demo = demo;
    const upstreams = demo ? demoUpstreams(demo) : config.upstreams;
    const memory = memoryOf(config.limits, runtime.memoryLimit);
    this.#sidecars = new Sidecars(upstreams, config.shutdown, runtime.startThread, this.#front, memory);
    warnOfMemory(upstreams, this.#sidecars.budget);
    this.#endPressureLog = logPressure(this.#sidecars.budget);
    this.#webhooks = new Map(
      [...this.#sidecars.upstreams].map(([name, { settings, journals }]) => {
        const common = {
          upstream: name,
          journals,
          network: runtime.network,
          isAwaited: answersAfterDelivery(settings.protocol),
          onChange: (state: WebhookState) => logWebhook(name, state),
        };
        return [name, settings.webhooks.map((webhook) => new Webhook({ ...common, settings: webhook }))];
      }),
    );
    logModules(this.#sidecars.upstreams);
    logRequests(this.#telemetry);
    for (const [name, upstream] of this.#sidecars.upstreams) {
      this.#telemetry.watch(name, upstream);
      logUpstream(upstream);
    }
  }

  /**
   * Starts listening, then the threads. When it resolves the service can be ended; loading and connecting go on.
   * Rejects with the system's error if it cannot listen.
   */
  static async start(config: LoadedConfig, runtime: Runtime): Promise<Service> {
    const demo = config.demo ? await (await import("./demo/demo-upstream.ts")).startDemo() : undefined;
    const app = deferred<ReturnType<typeof buildApp>>();
    let fetch: ListenOptions["fetch"] = async (request, env) => (await app.promise).fetch(request, env as object);
    const descriptorsMax = runtime.descriptorsMax();
    const connectionsMax = withinDescriptors(config, descriptorsMax);
    const deaf = deferred<Failure>();
    const telemetry = new Telemetry();
    // Listen first: if the address is in use, no upstream must be contacted. Early requests wait for the app.
    const listener = await runtime
      .listen({
        fetch: (request, env) => fetch(request, env),
        host: config.listen.host,
        port: config.listen.port,
        keepAliveMs: config.listen.keep_alive,
        connectionsMax,
        onFull: warnFull(connectionsMax),
        onDeaf: () => deaf.resolve(refused("congested", DEAF).failure),
        farewell: farewell(),
        refusal: (status, detail) => {
          const response = belowApp(status, detail);
          telemetry.failed(response.request, response.failure);
          return response;
        },
      })
      .catch(async (error: unknown) => {
        await demo?.stop();
        throw error;
      });
    const metricsApp = deferred<ReturnType<typeof buildMetricsApp>>();
    const metricsListener = await listenForMetrics(config, runtime, metricsApp.promise).catch(
      async (error: unknown) => {
        listener.close();
        await demo?.stop();
        throw error;
      },
    );
    const { connections } = config.listen;
    if (connectionsMax < connections) {
      const cause = `the limit of descriptors is ${descriptorsMax}`;
      log.warn(`listen.connections is ${connectionsMax} instead of ${connections}: ${cause}`);
    }
    const service = new Service(config, runtime, demo, telemetry);
    service.#listener = listener;
    service.#deaf = deaf.promise;
    const parts = service.#parts(service.#access(listener.port));
    const built = buildApp(parts);
    app.resolve(built);
    if (metricsListener) {
      service.#metricsListener = metricsListener;
      metricsApp.resolve(buildMetricsApp(parts, service.#metricsAccess(metricsListener.port)));
    }
    fetch = (request, env) => built.fetch(request, env as object);
    return service;
  }

  /** The base URL, `http://host:port`. */
  get url(): string {
    return urlOf(this.#config.listen.host, this.#listener?.port);
  }

  get demoUrl(): string | undefined {
    return this.#demo?.url;
  }

  /** Resolves when every upstream is served; rejects if one never will be. */
  get opened(): Promise<void> {
    return this.#sidecars.opened();
  }

  /** Resolves with the reason when the service cannot go on. */
  get failing(): Promise<Failure> {
    return Promise.race([this.#sidecars.failing, this.#deaf]);
  }

  /** Resolves at the end of the exit, whatever its cause: the process may end now. */
  get ended(): Promise<ExitReport> {
    return this.#ended.promise;
  }

  /** Runs the exit protocol, once however often it is called. `force` sets the remaining bounds to zero. */
  exit(options: ExitOptions): Promise<ExitReport> {
    const first = !this.#sidecars.exiting;
    const report = this.#sidecars.exit(options);
    if (first) report.then((done) => this.#answer().then(() => this.#end(done)));
    return report;
  }

  #end(report: ExitReport): void {
    this.#endPressureLog();
    this.#ended.resolve(report);
  }

  /** Step 5 of the exit: sends the report to the callers of `/shutdown`, then closes the listener. */
  async #answer(): Promise<void> {
    const listener = this.#listener;
    await this.#demo?.stop();
    if (!listener) return;
    const { answer } = this.#config.shutdown;
    await listener.lull(answer);
    const listeners = [listener, this.#metricsListener ?? []].flat();
    for (const each of listeners) each.close();
    await Promise.all(listeners.map((each) => each.answered(answer)));
  }

  readonly #front: HttpSide = {
    unready: () => {
      this.#ready = false;
      this.#listener?.retire();
      this.#metricsListener?.retire();
    },
    refuse: () => {
      this.#accepting = false;
    },
    stop: () => this.#stopping.now(),
    flushed: () => this.#listener?.flushed(this.#kept) ?? Promise.resolve(),
    cut: () => this.#listener?.cut(this.#kept),
  };

  #parts(access: Access): AppParts {
    const service = this;
    const { quota, replies } = this.#config;
    return {
      upstreams: this.#sidecars.upstreams,
      access,
      page: this.#config.listen.page,
      webhooks: this.#webhooks,
      budget: this.#sidecars.budget,
      quotas: Quotas.of(quota, access.tokens.shares > 1, this.#sidecars.upstreams, this.#sidecars.budget),
      keeper: new ReplyKeeper(replies, this.#sidecars.budget, {
        keys: quota.keys,
        shared: access.tokens.identities > 1,
      }),
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

  /** Guards the metrics like the rest, for their own address; without a token on loopback and where it is `open`. */
  #metricsAccess(port: number): Access {
    const { listen, tokens } = this.#config;
    const { host = "", open = false } = listen.metrics ?? {};
    const isLocal = isLoopback(host);
    const names = [...loopbackHosts(port, host.toLowerCase()), ...listen.hosts];
    const hosts = isLocal ? new Set(names) : undefined;
    const none = new Tokens([]);
    return {
      tokens: isLocal || open ? none : new Tokens(tokens),
      shutdownTokens: none,
      openShutdown: true, // It is not served there, and not found.
      hosts,
      origins: [],
      cors: { allowHeaders: [], maxAgeMs: 0 },
    };
  }

  /** Guards loopback by its host names, and other addresses by the configured names or, without these, by the token. */
  #access(port: number): Access {
    const { listen, tokens, shutdownTokens } = this.#config;
    const configured = listen.hosts.map((host) => host.toLowerCase());
    const openShutdown = isLoopback(listen.host);
    const loopback = loopbackHosts(port, openShutdown ? listen.host.toLowerCase() : "localhost");
    const hosts = openShutdown || configured.length > 0 ? new Set([...loopback, ...configured]) : undefined;
    return {
      tokens: new Tokens(tokens),
      shutdownTokens: new Tokens(shutdownTokens),
      openShutdown,
      hosts,
      origins: listen.origins,
      cors: { allowHeaders: listen.cors.allow_headers, maxAgeMs: listen.cors.max_age },
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
    farewell: farewell(),
    refusal: belowApp,
  });
  log.info(`metrics on ${urlOf(host, listener.port)}/metrics`);
  return listener;
}

function urlOf(host: string, port: number | undefined): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Warns of journals that can never hold what they are configured to hold. */
function warnOfMemory(upstreams: LoadedConfig["upstreams"], budget: Budget): void {
  const part = Math.floor(budget.partOf("journals"));
  for (const [name, { messages }] of upstreams) {
    if (messages.bytes <= part) continue;
    const cure = "raise limits.memory, or the heap or container that it follows";
    log.warn(`upstream ${name}: all journals together keep ${part} bytes, less than its messages.bytes: ${cure}`);
  }
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

function logWebhook(upstream: string, { url, failures, lastError, acknowledged, givenUp }: WebhookState): void {
  const facts = { upstream, url, acknowledged, givenUp };
  if (failures === 0) log.info(`upstream ${upstream}: the webhook receiver takes messages again`, facts);
  else log.warn(`upstream ${upstream}: messages cannot be pushed: ${lastError}`, facts);
}
