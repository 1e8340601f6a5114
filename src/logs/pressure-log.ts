/** Log lines about the pressure on the budget of memory. */

import { ACCOUNTS, type Budget, type PressureStep, REFUSALS } from "../core/util/budget.ts";
import { Pressure } from "../core/util/pressure.ts";
import { log } from "./log.ts";

const LOOK_EVERY_MS = 100;

const REFUSED: Readonly<Record<PressureStep, string>> = {
  streams: "new streams are refused",
  bodies: "new streams and bodies over 64 KiB are refused",
  everything: "new streams and all bodies are refused",
  ready: "new streams and all bodies are refused, and the service is not ready",
};

/** The steps in their order. Before the first one of all memory, the part of one account may be used up. */
const STEPS: readonly (readonly [name: string, refused: string])[] = [
  ["part", "messages that find no room are refused"],
  ...REFUSALS.map((step) => [step, REFUSED[step]] as const),
];

/** Logs each step of the pressure when it is reached and when it is left. @returns a function that ends it */
export function logPressure(budget: Budget): () => void {
  const pressure = new Pressure();
  let turnedAway = 0;
  const timer = setInterval(() => {
    const steps = REFUSALS.filter((step) => budget.refuses(step)).length;
    // Pressure that came and went between two looks has turned messages away.
    const reached = steps > 0 ? steps + 1 : Number(budget.turnedAway > turnedAway);
    turnedAway = budget.turnedAway;
    const before = pressure.reported;
    const now = pressure.look(reached, performance.now());
    if (now === undefined) return;
    const [name, refused] = STEPS[now - 1] ?? ["nothing", undefined];
    const accounts = Object.fromEntries(ACCOUNTS.map((account) => [account, budget.heldBy(account)]));
    const facts = { refuses: name, held: budget.held, limit: budget.limit, ...accounts };
    if (refused === undefined) log.info("memory: enough is free again, and nothing is refused", facts);
    else if (now > before) log.warn(`memory: much of limits.memory is held: ${refused}`, facts);
    else log.info(`memory: some is free again: only ${refused}`, facts);
  }, LOOK_EVERY_MS).unref();
  return () => clearInterval(timer);
}
