/** Time that passes only from one event to the next, so that a simulated minute takes milliseconds. */

interface Scheduled {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** A heap by time, and by order among events of the same time. */
export class VirtualTime {
  now = 0;
  readonly #heap: Scheduled[] = [];
  #order = 0;

  after(ms: number, run: () => void): void {
    const heap = this.#heap;
    let at = heap.push({ at: this.now + Math.max(0, ms), order: this.#order++, run }) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!isBefore(heap[at], heap[above])) break;
      swap(heap, at, above);
      at = above;
    }
  }

  /** Runs all events until then, `between` after each. */
  runUntil(end: number, between: () => void): void {
    for (let next = this.#heap[0]; next && next.at <= end; next = this.#heap[0]) {
      this.#removeFirst();
      this.now = next.at;
      next.run();
      between();
    }
    this.now = end;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    heap[0] = last;
    let at = 0;
    for (;;) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      let least = at;
      if (isBefore(heap[left], heap[least])) least = left;
      if (isBefore(heap[right], heap[least])) least = right;
      if (least === at) return;
      swap(heap, at, least);
      at = least;
    }
  }
}

function isBefore(a: Scheduled | undefined, b: Scheduled | undefined): boolean {
  if (!a || !b) return false;
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

function swap(heap: Scheduled[], a: number, b: number): void {
  const [one, other] = [heap[a], heap[b]];
  if (!one || !other) return;
  heap[a] = other;
  heap[b] = one;
}
