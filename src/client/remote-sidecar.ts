/** An upstream of a service elsewhere, called over HTTP with `fetch` alone. */

import { refused } from "../errors.ts";
import type { AsyncSidecar } from "../library/async-upstream.ts";
import { timeoutOf } from "../library/call-options.ts";
import { demandKnown, type OptionNames } from "../library/option-names.ts";
import type { ExitReport } from "../sidecar/exit-report.ts";
import { type InstanceOptions, openInstance, type RemoteInstance } from "./remote-instance.ts";
import { addressOf, type Fetch, failureOf, isFailure, RemoteService } from "./remote-service.ts";
import { type Reach, RemoteUpstream } from "./remote-upstream.ts";

export interface ClientOptions {
  /** The bearer token of the API, if the service requires one. */
  readonly token?: string;
  /** The name of the upstream. By default `default`, which names the only one, too. */
  readonly upstream?: string;
  /**
   * How often a message is repeated, within its timeout, if the service cannot be reached, or has refused it unsent.
   * Each message has an `Idempotency-Key` then, so that only one of the repetitions is sent. By default 0.
   */
  readonly repeat?: number;
  /** The time for which a cut stream of messages is tried again, in milliseconds. By default 30,000. */
  readonly resumeMs?: number;
  /** By default the global `fetch`. */
  readonly fetch?: Fetch;
}

const OPTIONS: OptionNames<ClientOptions> = { token: true, upstream: true, repeat: true, resumeMs: true, fetch: true };
const RESUME_MS = 30_000;
/** The steps of an exit have bounds of their own, which the service knows. */
const EXIT_WITHIN_MS = 120_000;
const REPEAT_MAX = 100;

/** Connects to a service by its address. Nothing is sent before the first call. */
export function connect(url: string | URL, options: ClientOptions = {}): RemoteSidecar {
  return new RemoteSidecar(url, options);
}

export class RemoteSidecar extends RemoteUpstream implements AsyncSidecar {
  readonly #reach: Reach;
  readonly #place: string;
  #exit: Promise<ExitReport> | undefined;

  constructor(url: string | URL, options: ClientOptions) {
    demandKnown(options, OPTIONS, "connect", "invalid_config");
    const { token, upstream = "default", repeat = 0, resumeMs = RESUME_MS, fetch: given } = options;
    if (!Number.isInteger(repeat) || repeat < 0 || repeat > REPEAT_MAX) {
      throw refused("invalid_config", `repeat must be a whole number from 0 to ${REPEAT_MAX}`);
    }
    const service = new RemoteService(addressOf(url), token, given ?? ((to, init) => fetch(to, init)));
    const reach = { service, repeat, resumeMs: timeoutOf({ timeoutMs: resumeMs }) };
    const place = encodeURIComponent(upstream);
    super(reach, place);
    this.#reach = reach;
    this.#place = place;
  }

  /**
   * Opens a connection of your own by the settings of the upstream, with all calls of one. Its first call waits for it.
   * @throws SidesocketError `invalid_request` for parameters that do not fit, `too_many_in_flight` beyond the limit
   */
  async instance(options: InstanceOptions = {}): Promise<RemoteInstance> {
    return await openInstance(this.#reach, this.#place, options);
  }

  /** Runs the exit protocol of the whole service, all of its upstreams, and resolves with the report. */
  async exit(options: { readonly force?: boolean } = {}): Promise<ExitReport> {
    demandKnown(options, { force: true }, "exit");
    const { force = false } = options;
    const again = force && this.#exit ? this.#shutDown(true) : undefined;
    // The first call has the same report.
    again?.catch(() => {});
    this.#exit ??= this.#shutDown(force);
    return await this.#exit;
  }

  async #shutDown(force: boolean): Promise<ExitReport> {
    const call = { method: "POST", path: `/shutdown?force=${force}`, waitMs: EXIT_WITHIN_MS } as const;
    return await this.#reach.service.call(call, async (response) => {
      if (isFailure(response)) throw await failureOf(response);
      return (await response.json()) as ExitReport;
    });
  }

  /** Ends the iterations of this client and refuses further calls. The service goes on. */
  async close(): Promise<void> {
    this.#reach.service.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
