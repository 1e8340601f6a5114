/** The rules by which a service admits callers and shares among them what there is, in force until a reload. */

import { isLocal } from "../config/listen-settings.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { ReloadPlan, UpstreamChange } from "../config/reload-plan.ts";
import { isLoopback } from "../config/wire.ts";
import { Tokens } from "../http/callers.ts";
import { loopbackHosts } from "../http/guard.ts";
import type { Access } from "../http/ports.ts";
import { Quotas } from "../http/quotas.ts";
import { ReplyKeeper } from "../http/reply-keeper.ts";
import type { Sidecars } from "../sidecar/host/sidecars.ts";

/** Values of `Host` that a socket serves, with any port: it has none that a request could name. */
const SOCKET_HOSTS = ["localhost", "127.0.0.1", "[::1]"];

type Rules = Pick<LoadedConfig, "tokens" | "shutdownTokens" | "quota" | "replies">;

export class CallerRules {
  readonly access: Access;
  readonly keeper: ReplyKeeper;
  readonly #sidecars: Sidecars;
  #tokens: Tokens;
  #shutdownTokens: Tokens;
  #quotas: Quotas | undefined;

  /** @param port the port that the service listens on */
  constructor(config: Rules & Pick<LoadedConfig, "listen">, port: number, sidecars: Sidecars) {
    const { tokens, shutdownTokens, quota, replies } = config;
    this.#sidecars = sidecars;
    this.#tokens = new Tokens(tokens);
    this.#shutdownTokens = new Tokens(shutdownTokens);
    this.#quotas = Quotas.of(quota, this.#tokens.shares > 1, sidecars.upstreams, sidecars.budget);
    this.keeper = new ReplyKeeper(replies, sidecars.budget, this.#keyShares(config));
    this.access = this.#accessBy(config.listen, port);
  }

  /** Undefined where all callers are one. */
  get quotas(): Quotas | undefined {
    return this.#quotas;
  }

  /** Call once the upstreams of the plan serve. */
  reconfigure({ upstreams: changes, after: { config } }: ReloadPlan): void {
    const { tokens, shutdownTokens, quota, replies } = config;
    const isFresh = (change: UpstreamChange) => change === "added" || change === "replaced";
    const fresh = new Set([...changes].flatMap(([name, change]) => (isFresh(change) ? name : [])));
    const { upstreams, budget } = this.#sidecars;
    this.#tokens = new Tokens(tokens);
    this.#shutdownTokens = new Tokens(shutdownTokens);
    const isShared = this.#tokens.shares > 1;
    if (this.#quotas) this.#quotas.reconfigure(quota, isShared, upstreams, fresh);
    else this.#quotas = Quotas.of(quota, isShared, upstreams, budget);
    // A subscription of the file takes its name from that of a caller, which counts no more.
    for (const [name, { settings }] of upstreams)
      for (const declared of Object.keys(settings.subscriptions)) this.#quotas?.unsubscribe({ name }, declared);
    this.keeper.reconfigure(replies, this.#keyShares(config));
  }

  #keyShares({ quota }: Rules) {
    return { keys: quota.keys, shared: this.#tokens.identities > 1 };
  }

  /** Guards the metrics like the rest, for their own address; without a token on loopback and where it is `open`. */
  metricsAccess(listen: LoadedConfig["listen"], port: number): Access {
    const rules = this;
    const { host = "", open = false } = listen.metrics ?? {};
    const isOnLoopback = isLoopback(host);
    const names = [...loopbackHosts(port, host.toLowerCase()), ...listen.hosts];
    const hosts = isOnLoopback ? new Set(names) : undefined;
    const none = new Tokens([]);
    return {
      get tokens() {
        return isOnLoopback || open ? none : rules.#tokens;
      },
      shutdownTokens: none,
      openShutdown: true, // It is not served there, and not found.
      hosts,
      origins: [],
      cors: { allowHeaders: [], maxAgeMs: 0 },
    };
  }

  /**
   * Guards loopback by its host names, and other addresses by the configured names or, without these, by the token. A
   * Unix socket is guarded like loopback: a proxy that web pages reach may be what its file lets in.
   */
  #accessBy(listen: LoadedConfig["listen"], port: number): Access {
    const rules = this;
    const configured = listen.hosts.map((host) => host.toLowerCase());
    const openShutdown = isLocal(listen);
    const name = openShutdown ? listen.host.toLowerCase() : "localhost";
    const loopback = listen.path === undefined ? loopbackHosts(port, name, listen.tls ? 443 : 80) : SOCKET_HOSTS;
    const hosts = openShutdown || configured.length > 0 ? new Set([...loopback, ...configured]) : undefined;
    return {
      get tokens() {
        return rules.#tokens;
      },
      get shutdownTokens() {
        return rules.#shutdownTokens;
      },
      openShutdown,
      hosts,
      origins: listen.origins,
      cors: { allowHeaders: listen.cors.allow_headers, maxAgeMs: listen.cors.max_age },
    };
  }
}
