/** Epochs of journals. */

/** Never the same twice, in this process or another: the time, and a random part for epochs that begin together. */
export function newEpoch(): string {
  return Date.now().toString(36) + Math.random().toString(36).slice(2, 10).padEnd(8, "0");
}
