/** An instance behind HTTP: a connection of the caller's own. */

import { refused, type SidesocketError } from "../errors.ts";
import { callOptions } from "../library/call-options.ts";
import { demandKnown, type OptionNames } from "../library/option-names.ts";
import { failureOf, isFailure } from "./remote-service.ts";
import { type Reach, RemoteUpstream } from "./remote-upstream.ts";

export interface InstanceOptions {
  /** The values of the upstream's parameters. */
  readonly params?: Readonly<Record<string, string>>;
  /** Milliseconds without a request or a reader after which it ends. By default, and at most, the upstream's. */
  readonly idleMs?: number;
  /** Headers of the order: the one that the configuration names has your credential for the upstream. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Time to wait for the response, in milliseconds: by default 25,000. */
  readonly timeoutMs?: number;
  /** Abandons the order. An instance that is opened all the same ends when it is idle. */
  readonly signal?: AbortSignal;
}

const OPTIONS: OptionNames<InstanceOptions> = {
  params: true,
  idleMs: true,
  headers: true,
  timeoutMs: true,
  signal: true,
};

/** How long the service may take to end an instance, in milliseconds: its exit steps have bounds of their own. */
const END_WITHIN_MS = 30_000;

interface InstanceBody {
  readonly id: string;
  readonly idle_ms: number;
  readonly ends_at: string;
}

/** @param upstream the place of the upstream below `/v1/upstreams/` */
export async function openInstance(reach: Reach, upstream: string, options: InstanceOptions): Promise<RemoteInstance> {
  demandKnown(options, OPTIONS, "instance");
  const { params = {}, idleMs, headers = {}, ...rest } = options;
  const { timeoutMs: waitMs, signal } = callOptions.request(rest);
  if (idleMs !== undefined && !(idleMs > 0 && Number.isFinite(idleMs)))
    throw refused("invalid_request", "idleMs must be a number of milliseconds");
  const body = JSON.stringify({ params, ...(idleMs !== undefined && { idle: `${Math.ceil(idleMs)}ms` }) });
  const path = `/v1/upstreams/${upstream}/instances`;
  const order = { method: "POST", path, headers: { ...headers, "content-type": "application/json" }, body } as const;
  return await reach.service.call({ ...order, waitMs, signal }, async (response) => {
    if (isFailure(response)) throw await failureOf(response);
    return new RemoteInstance(reach, upstream, (await response.json()) as InstanceBody);
  });
}

export class RemoteInstance extends RemoteUpstream implements AsyncDisposable {
  readonly id: string;
  /** The time without a request or a reader after which it ends, in milliseconds. */
  readonly idleMs: number;
  /** The time at which it ends, whatever it is used for. */
  readonly endsAt: Date;
  readonly #reach: Reach;
  readonly #path: string;
  #end: Promise<void> | undefined;

  constructor(reach: Reach, upstream: string, { id, idle_ms, ends_at }: InstanceBody) {
    const place = `${upstream}/instances/${id}`;
    super(reach, place);
    this.#reach = reach;
    this.#path = `/v1/upstreams/${place}`;
    this.id = id;
    this.idleMs = idle_ms;
    this.endsAt = new Date(ends_at);
  }

  /** Ends the instance: what it owes is cancelled, iterations end, and its connection is closed. */
  async close(): Promise<void> {
    this.#end ??= this.#delete();
    await this.#end;
  }

  async #delete(): Promise<void> {
    const call = { method: "DELETE", path: this.#path, waitMs: END_WITHIN_MS } as const;
    await this.#reach.service.call(call, async (response) => {
      if (!isFailure(response)) return;
      const failure: SidesocketError = await failureOf(response);
      // It has ended by itself.
      if (failure.code !== "gone") throw failure;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
