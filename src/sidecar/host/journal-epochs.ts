/** The epochs of one journal, which begins a new one with each thread that keeps it. */

import type { JournalEpochs } from "../contract.ts";
import { newEpoch } from "../new-epoch.ts";

/** The most former epochs to remember: a cursor of an older one is reported as expired instead of crashed. */
const FORMER_MAX = 16;

export class EpochSequence {
  #epochs: readonly string[] = [];

  next(): JournalEpochs {
    const former = this.#epochs.slice(-FORMER_MAX);
    const epoch = newEpoch();
    this.#epochs = [...former, epoch];
    return { epoch, former };
  }
}
