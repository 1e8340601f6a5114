/** The reload of the configuration: one at a time, checked as a whole before anything changes. */

import { digestsOf } from "../config/digests.ts";
import type { LoadedConfig } from "../config/load.ts";
import { ConfigError } from "../config/problems.ts";
import { filesOf, planReload, type ReloadPlan, type Snapshot } from "../config/reload-plan.ts";
import { type Failure, refused, SidesocketError } from "../errors.ts";
import type { ReloadPort, ReloadReport, ReloadState } from "../http/ports.ts";
import { log } from "../logs/log.ts";
import { FileWatch } from "./file-watch.ts";

/** Loads the configuration again, from the same flags and variables. @throws ConfigError */
export type LoadAgain = () => Promise<LoadedConfig>;

/** The service as a reload sees it. */
export interface Reloadable {
  /** True once the exit has begun. */
  readonly exiting: boolean;
  /** Rejects with a SidesocketError, and changes nothing, if an upstream cannot be opened. */
  carryOut(plan: ReloadPlan): Promise<void>;
}

export class Reloader implements ReloadPort {
  readonly #service: Reloadable;
  readonly #load: LoadAgain;
  readonly #watch = new FileWatch(() => {
    this.run("a file has changed").catch(() => {});
  });
  #snapshot: Promise<Snapshot>;
  /** Settles when the newest reload has ended; never rejects. */
  #last: Promise<unknown> = Promise.resolve();
  /** The reload that has not begun yet. */
  #queued: Promise<ReloadReport> | undefined;
  #state: ReloadState | undefined;

  constructor(config: LoadedConfig, load: LoadAgain, service: Reloadable) {
    this.#load = load;
    this.#service = service;
    this.#snapshot = digestsOf(config).then((digests) => ({ config, digests }));
    this.#watchFiles(config);
  }

  get state(): ReloadState | undefined {
    return this.#state;
  }

  /** Ends the watch. */
  end(): void {
    this.#watch.watch([]);
  }

  /**
   * Begins when the reload that runs has ended, which may have read the files already, together with all that were
   * requested meanwhile. Rejects with a SidesocketError if nothing has changed because something is wrong.
   */
  run(cause: string): Promise<ReloadReport> {
    if (this.#queued) return this.#queued;
    const queued = this.#last.then(() => {
      this.#queued = undefined;
      return this.#reload(cause);
    });
    this.#queued = queued;
    this.#last = queued.catch(() => {});
    return queued;
  }

  async #reload(cause: string): Promise<ReloadReport> {
    const began = performance.now();
    try {
      const before = await this.#snapshot;
      this.#demandLife();
      const config = await this.#load();
      const plan = planReload(before, { config, digests: await digestsOf(config) });
      this.#demandLife();
      await this.#service.carryOut(plan);
      this.#snapshot = Promise.resolve(plan.after);
      if (!this.#service.exiting) this.#watchFiles(plan.after.config);
      const report = reportOf(plan, config, Math.round(performance.now() - began));
      this.#note(undefined);
      logReport(cause, report, newIn(config.warnings, before.config.warnings));
      return report;
    } catch (error) {
      const failure = failureOf(error);
      this.#note(failure.detail);
      log.error(`the configuration was not reloaded, and nothing has changed: ${failure.detail}`, { cause });
      if (failure.code === "internal_error") log.error("internal error", { error });
      throw new SidesocketError(failure, { cause: error });
    }
  }

  #demandLife(): void {
    if (this.#service.exiting) throw refused("shutting_down", "the service is shutting down: nothing is reloaded");
  }

  #note(error: string | undefined): void {
    const { successes = 0, failures = 0, lastSuccessAt = null } = this.#state ?? {};
    const now = new Date();
    this.#state =
      error === undefined
        ? { lastAt: now, lastSuccess: true, lastError: null, lastSuccessAt: now, successes: successes + 1, failures }
        : { lastAt: now, lastSuccess: false, lastError: error, lastSuccessAt, successes, failures: failures + 1 };
  }

  #watchFiles({ watch, sources, upstreams }: LoadedConfig): void {
    const named = [...upstreams.values()].flatMap((settings) => filesOf(settings));
    this.#watch.watch(watch ? [...new Set([...sources.files, ...named])] : []);
  }
}

/** A mistake in a file is the caller's to mend; the message is the one with which a start fails. */
function failureOf(error: unknown): Failure {
  if (error instanceof SidesocketError) return error.failure;
  if (error instanceof ConfigError) return { code: "invalid_request", sent: "no", detail: error.problems.join("; ") };
  return { code: "internal_error", sent: "no", detail: "internal error in sidesocket: look it up in its log" };
}

function reportOf({ upstreams, unchanged, applied, needsRestart }: ReloadPlan, { sources }: LoadedConfig, ms: number) {
  return {
    changed: Object.fromEntries(upstreams),
    unchanged: [...unchanged],
    applied: [...applied],
    needs_restart: [...needsRestart],
    files: [...sources.files],
    ms,
  };
}

function logReport(cause: string, report: ReloadReport, warnings: readonly string[]): void {
  const { changed, applied, needs_restart, files, ms } = report;
  const what = files.length > 0 ? "the configuration was reloaded" : "there is no file to reload: nothing has changed";
  log.info(what, { cause, changed, applied, needs_restart, files, ms });
  for (const warning of warnings) log.warn(warning);
  if (needs_restart.length > 0) log.warn(`not in force before a restart: ${needs_restart.join(", ")}`);
}

function newIn(after: readonly string[], before: readonly string[]): readonly string[] {
  return after.filter((warning) => !before.includes(warning));
}
