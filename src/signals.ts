import { log } from "./log.ts";
import type { ExitOptions } from "./sidecar/host/sidecars.ts";

const NAMES = ["SIGTERM", "SIGINT"] as const;

/**
 * SIGTERM and SIGINT run the exit protocol. The second of them turns the bounds that remain to zero; for the third there
 * is no handler any more, so it has the effect that it has by default.
 * @returns how to stop listening to them
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
