/** Log lines about the pressure on the budget of memory. */

import { ACCOUNTS, type Budget, type PressureStep, REFUSALS } from "./core/util/budget.ts";
import { Pressure } from "./core/util/pressure.ts";
import { log } from "./log.ts";

const LOOK_EVERY_MS = 100;

const REFUSED: Readonly<Record<PressureStep, string>> = {
  streams: "new streams are refused",
  bodies: "new streams and bodies over 64 KiB are refused",
  everything: "new streams and all bodies are refused",
  ready: "new streams and all bodies are refused, and the service is not ready",
};

/** Logs each step of the pressure when it is reached and when it is left. @returns a function that ends it */
export function logPressure(budget: Budget): () => void {
  const pressure = new Pressure();
  const timer = setInterval(() => {
    const reached = REFUSALS.filter((step) => budget.refuses(step)).length;
    const before = pressure.reported;
    const now = pressure.look(reached, performance.now());
    if (now === undefined) return;
    const step = REFUSALS[now - 1];
    const accounts = Object.fromEntries(ACCOUNTS.map((account) => [account, budget.heldBy(account)]));
    const facts = { refuses: step ?? "nothing", held: budget.held, limit: budget.limit, ...accounts };
    if (!step) log.info("memory: enough is free again, and nothing is refused", facts);
    else if (now > before) log.warn(`memory: much of limits.memory is held: ${REFUSED[step]}`, facts);
    else log.info(`memory: some is free again: only ${REFUSED[step]}`, facts);
  }, LOOK_EVERY_MS).unref();
  return () => clearInterval(timer);
}
