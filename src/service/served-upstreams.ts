/** The upstreams that a service serves until a reload changes them, with their webhooks and lines in the log. */

import pTimeout from "p-timeout";
import { answersAfterDelivery } from "../config/answer-settings.ts";
import type { ReloadPlan } from "../config/reload-plan.ts";
import type { ShutdownBounds, UpstreamSettings, WebhookSettings } from "../config/schema.ts";
import type { Budget } from "../core/util/budget.ts";
import { refused, SidesocketError } from "../errors.ts";
import type { WebhookState } from "../http/ports.ts";
import { log } from "../logs/log.ts";
import { logModules } from "../logs/module-log.ts";
import { frameLog, logUpstream } from "../logs/upstream-log.ts";
import { Webhook } from "../push/webhook.ts";
import { webhookIds } from "../push/webhook-ids.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { ThreadCluster } from "../sidecar/contract.ts";
import type { HttpSide } from "../sidecar/host/exit.ts";
import { replyToMessage } from "../sidecar/host/reply-to-message.ts";
import { Sidecars, type TapeOf } from "../sidecar/host/sidecars.ts";
import type { UpstreamClient } from "../sidecar/host/upstream-client.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";

type SettingsByName = ReadonlyMap<string, UpstreamSettings>;

/** The time in which a new upstream must be open on its thread, connected or not. */
const OPEN_WITHIN_MS = 30_000;

const REMOVED = "the upstream was removed by a reload of the configuration";
const REPLACED = "the upstream was replaced by a reload of the configuration";
const DISCARDED = "the upstream was opened for a reload that was refused";

export class ServedUpstreams {
  readonly sidecars: Sidecars;
  readonly #webhooks = new Map<string, readonly Webhook[]>();
  readonly #runtime: Runtime;
  readonly #telemetry: Telemetry;

  constructor(
    settings: SettingsByName,
    bounds: ShutdownBounds,
    runtime: Runtime,
    front: HttpSide,
    memoryBytes: number,
    telemetry: Telemetry,
    tapeOf?: TapeOf,
    cluster?: ThreadCluster,
  ) {
    this.#telemetry = telemetry;
    this.#runtime = runtime;
    const { startThread } = runtime;
    this.sidecars = new Sidecars(settings, bounds, startThread, front, memoryBytes, frameLog(), tapeOf, cluster);
    for (const client of this.sidecars.upstreams.values()) {
      logUpstream(client);
      logModules([client]);
      this.#attach(client);
    }
  }

  get webhooks(): ReadonlyMap<string, readonly Webhook[]> {
    return this.#webhooks;
  }

  /**
   * Opens what the plan adds, beside what serves.
   * @returns the rest of the plan, which takes effect in the turn that calls it, and resolves when all that has left
   *   is gone; rejects, and leaves nothing behind, if an upstream cannot be opened
   */
  async prepare({ upstreams: changes, after }: ReloadPlan): Promise<() => Promise<void>> {
    const opened = new Map<string, UpstreamClient>();
    // The demo's upstream is not in the configuration.
    const settings = after.config.demo ? undefined : after.config.upstreams;
    for (const [name, latest] of settings ?? []) {
      const change = changes.get(name);
      if (change !== "added" && change !== "replaced") continue;
      const client = this.sidecars.open(name, latest);
      logUpstream(client);
      logModules([client]);
      opened.set(name, client);
    }
    try {
      await Promise.all([...opened.values()].map(isOpen));
    } catch (error) {
      if (!this.sidecars.exiting)
        await Promise.all([...opened.values()].map((client) => this.sidecars.leave(client, DISCARDED)));
      throw error;
    }
    return async () => {
      this.sidecars.bounds = after.config.shutdown;
      if (settings) await this.#change(changes, settings, opened);
    };
  }

  async #change(
    changes: ReloadPlan["upstreams"],
    settings: SettingsByName,
    opened: ReadonlyMap<string, UpstreamClient>,
  ): Promise<void> {
    const serving = new Map<string, UpstreamClient>();
    for (const [name, latest] of settings) {
      const client = opened.get(name) ?? this.sidecars.upstreams.get(name);
      if (!client) continue;
      serving.set(name, client);
      const change = changes.get(name);
      if (change === "in_place" || change === "rotated") client.reconfigure(latest, change === "rotated");
    }
    const leaving = this.sidecars.serve(serving);
    for (const { name } of leaving) {
      this.#webhooks.delete(name);
      this.#telemetry.unwatch(name);
    }
    for (const [name, client] of serving) {
      if (opened.has(name)) this.#attach(client);
      else if (changes.has(name)) this.#pushTo(client);
    }
    await Promise.all(leaving.map((client) => this.#leave(client, serving.has(client.name) ? REPLACED : REMOVED)));
  }

  async #leave(client: UpstreamClient, why: string): Promise<void> {
    const { forced, ms, steps } = await this.sidecars.leave(client, why);
    const level = steps.some(({ outcome }) => outcome === "failed") ? "error" : "info";
    log[level](`upstream ${client.name}: ${why}`, { upstream: client.name, forced, ms, steps });
  }

  #attach(client: UpstreamClient): void {
    this.#telemetry.watch(client.name, client);
    warnOfMemory(client, this.sidecars.budget);
    this.#pushTo(client);
  }

  /** Begins, changes and ends webhooks. One receiver's goes on where it is, with other settings. */
  #pushTo(client: UpstreamClient): void {
    const { name, settings, journals, pushes } = client;
    const former = [...(this.#webhooks.get(name) ?? [])];
    const take = (isMeant: (webhook: Webhook) => boolean): Webhook | undefined => {
      const index = former.findIndex(isMeant);
      return index < 0 ? undefined : former.splice(index, 1)[0];
    };
    const common = {
      upstream: name,
      journals,
      turns: pushes,
      network: this.#runtime.network,
      isAwaited: answersAfterDelivery(settings.protocol),
      reply: (cursor: string, reply: string) => replyToMessage(client, cursor, reply),
      onUnsentReply: (detail: string) => log.warn(`upstream ${name}: ${detail}`, { upstream: name }),
      onChange: (state: WebhookState) => logWebhook(name, state),
    };
    const unchanged = settings.webhooks.map((webhook) => take(({ settings: known }) => isSame(known, webhook)));
    const webhooks = settings.webhooks.map((webhook, index) => {
      const same = unchanged[index];
      if (same) return same;
      const predecessor = take(({ settings: known }) => isSameReceiver(known, webhook));
      return new Webhook({ ...common, settings: webhook, former: predecessor });
    });
    for (const webhook of former) webhook.stop();
    const ids = webhookIds(settings.webhooks);
    pushes?.follow(new Map(webhooks.map((webhook, index) => [ids[index] ?? "", webhook])));
    this.#webhooks.set(name, webhooks);
  }
}

async function isOpen(client: UpstreamClient): Promise<void> {
  const late = refused("invalid_request", `${client.name}: its thread did not open it within ${OPEN_WITHIN_MS} ms`);
  await pTimeout(client.opened, { milliseconds: OPEN_WITHIN_MS, message: late }).catch((error: unknown) => {
    // A protocol that cannot be loaded is a mistake in the file, like any other.
    if (error instanceof SidesocketError && error.code === "invalid_config")
      throw refused("invalid_request", error.message);
    throw error;
  });
}

function isSame(one: WebhookSettings, other: WebhookSettings): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function isSameReceiver(one: WebhookSettings, other: WebhookSettings): boolean {
  return one.url === other.url && one.subscription === other.subscription;
}

/** Warns of journals that can never hold what they are configured to hold. */
function warnOfMemory({ name, settings: { messages } }: UpstreamClient, budget: Budget): void {
  const part = Math.floor(budget.partOf("journals"));
  if (messages.bytes <= part) return;
  const cure = "raise limits.memory, or the heap or container that it follows";
  log.warn(`upstream ${name}: all journals together keep ${part} bytes, less than its messages.bytes: ${cure}`);
}

function logWebhook(upstream: string, { url, failures, lastError, acknowledged, givenUp }: WebhookState): void {
  const facts = { upstream, url, acknowledged, givenUp };
  if (failures === 0) log.info(`upstream ${upstream}: the webhook receiver takes messages again`, facts);
  else log.warn(`upstream ${upstream}: messages cannot be pushed: ${lastError}`, facts);
}
