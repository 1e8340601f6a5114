/** Moves of model-based tests: named events, and randomness as an input. */
import fc from "fast-check";

/** One event in a model, named so that counterexamples are readable. */
export type Move<World> = (world: World) => unknown;

export function move<World>(name: string, run: Move<World>): Move<World> {
  return Object.assign((world: World) => run(world), { [fc.toStringMethod]: () => name });
}

/** A random number in [0, 1). */
export const chance: fc.Arbitrary<number> = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
