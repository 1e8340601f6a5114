/** Signals that end the process in order, or reload its configuration. */

import { isatty } from "node:tty";
import { log } from "../logs/log.ts";
import type { ExitOptions } from "../sidecar/host/sidecars.ts";

/**
 * Signals within this time of the one that began a wish belong to it. A terminal sends Ctrl-C to npm and to the
 * service, and npm passes its own on; `timeout` signals its child and then the group that the child is in.
 */
const SAME_WISH_MS = 500;

/** Standard input, output and error. */
const STANDARD = [0, 1, 2];

/** Reloads the configuration, unless the signal says that the terminal is gone. Then it has its usual effect. */
export interface HangUp {
  reload(): unknown;
  /** True for a descriptor of a terminal that is still there. */
  readonly isTerminal?: (descriptor: number) => boolean;
}

/**
 * Runs the exit protocol on these signals. The second wish sets the remaining bounds to zero and gives the signals
 * back, so the third one has its default effect.
 * @param hangUp what SIGHUP does where it is no wish to end
 * @returns a function that gives the signals back as soon as the current wish is over
 */
export function endOnSignals(
  signals: readonly NodeJS.Signals[],
  exit: (options: ExitOptions) => unknown,
  hangUp?: HangUp,
): () => void {
  const isTerminal = hangUp?.isTerminal ?? isatty;
  const terminals = STANDARD.filter(isTerminal);
  let wishes = 0;
  let wishEndsAt = Number.NEGATIVE_INFINITY;

  const onSignal = (signal: NodeJS.Signals): void => {
    // A window that is closed must not leave a service behind. On Windows the signal means nothing else.
    if (signal === "SIGHUP" && hangUp && terminals.every(isTerminal) && process.platform !== "win32") {
      hangUp.reload();
      return;
    }
    const now = performance.now();
    if (now < wishEndsAt) {
      log.debug(`${signal} received again`, { signal });
      return;
    }
    wishEndsAt = now + SAME_WISH_MS;
    wishes++;
    const force = wishes > 1;
    log.info(`${signal} received`, { signal, force });
    if (force) giveBack();
    exit({ cause: signal, force });
  };
  const remove = (): void => {
    for (const signal of signals) process.removeListener(signal, onSignal);
  };
  const giveBack = (): void => {
    const leftMs = wishEndsAt - performance.now();
    if (leftMs > 0) setTimeout(remove, leftMs).unref();
    else remove();
  };

  for (const signal of signals) process.on(signal, onSignal);
  return giveBack;
}
