/** A count of the entries of maps and sets that some work walks over: a bound that no busy machine can break. */

/** Returns how many entries are taken out of iterators of maps and sets until `work` is done. */
export async function stepsOf(work: () => unknown): Promise<number> {
  let steps = 0;
  const iterators = [new Map().entries(), new Set().values()].map(
    (iterator) => Object.getPrototypeOf(iterator) as { next: () => unknown },
  );
  const restore = iterators.map((prototype) => {
    const { next } = prototype;
    prototype.next = function (this: unknown) {
      steps++;
      return Reflect.apply(next, this, []);
    };
    return () => {
      prototype.next = next;
    };
  });
  try {
    await work();
  } finally {
    for (const undo of restore) undo();
  }
  return steps;
}
