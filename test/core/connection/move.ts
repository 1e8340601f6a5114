import fc from "fast-check";

/** One thing that may happen to a model, with a name by which a counterexample can be read. */
export type Move<World> = (world: World) => unknown;

export function move<World>(name: string, run: Move<World>): Move<World> {
  return Object.assign((world: World) => run(world), { [fc.toStringMethod]: () => name });
}

/** Chance: a number in [0, 1). */
export const chance: fc.Arbitrary<number> = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
