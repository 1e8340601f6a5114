/** Bytes that wait to be read; what several readers have in common counts once. */

import type { Account, Budget } from "../core/util/budget.ts";

const readersOf = new Map<Uint8Array, number>();

/** Counts the bytes for one more reader. @returns a function to call when that reader has taken them, or has left */
export function hold(budget: Budget, account: Account, bytes: Uint8Array): () => void {
  const readers = readersOf.get(bytes) ?? 0;
  readersOf.set(bytes, readers + 1);
  if (readers === 0) budget.take(account, bytes.byteLength);
  let isHeld = true;
  return () => {
    if (!isHeld) return;
    isHeld = false;
    const left = (readersOf.get(bytes) ?? 0) - 1;
    if (left > 0) readersOf.set(bytes, left);
    else {
      readersOf.delete(bytes);
      budget.give(account, bytes.byteLength);
    }
  };
}
