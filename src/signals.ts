/** Signals that end the process in order. */

import { log } from "./log.ts";
import type { ExitOptions } from "./sidecar/host/sidecars.ts";

const NAMES = ["SIGTERM", "SIGINT"] as const;

/**
 * Runs the exit protocol on SIGTERM and SIGINT. The second signal sets the remaining bounds to zero and removes the
 * handlers, so the third one has its default effect.
 * @returns a function that removes the handlers
 */
export function endOnSignals(exit: (options: ExitOptions) => unknown): () => void {
  let received = 0;
  const remove = () => {
    for (const name of NAMES) process.removeListener(name, onSignal);
  };
  const onSignal = (name: (typeof NAMES)[number]) => {
    received++;
    if (received === 2) remove();
    log.info(`${name} received`, { signal: name, force: received > 1 });
    exit({ cause: name, force: received > 1 });
  };
  for (const name of NAMES) process.on(name, onSignal);
  return remove;
}
