/** The budget of memory as the host uses it on behalf of a thread. */

import { type Account, Budget, type BudgetMemory, budgetMemory, sidesOfThread } from "../../core/util/budget.ts";
import type { ThreadMemory } from "../contract.ts";

export class ThreadBudget {
  /** The host's own side, which all threads have in common. */
  readonly host: Budget;
  /** The thread's own side, by which it finds it. */
  readonly memory: ThreadMemory;
  /** The bytes of the thread that the host has taken over. */
  readonly #takenOver: Budget;

  constructor(host: Budget, memory: BudgetMemory, index: number) {
    const { thread, takenOver } = sidesOfThread(index);
    this.host = host;
    this.memory = { budget: memory, side: thread };
    this.#takenOver = new Budget(memory, takenOver);
  }

  /** The budget of a single thread, without a limit. */
  static unlimited(): ThreadBudget {
    const memory = budgetMemory(Number.POSITIVE_INFINITY, 3);
    return new ThreadBudget(new Budget(memory), memory, 0);
  }

  /** Bytes that the thread took, and has posted, are here: from here on they count where they are kept. */
  arrived(account: Account, bytes: number): void {
    if (bytes > 0) this.#takenOver.give(account, bytes);
  }

  /** The thread is gone, with all that it held and all that was on its way. */
  crashed(): void {
    new Budget(this.memory.budget, this.memory.side).clear();
    this.#takenOver.clear();
  }
}
