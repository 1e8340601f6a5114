/** Chance that a seed determines. */
import { seeded } from "../support/random.ts";

export class Dice {
  readonly unit: () => number;

  constructor(seed: number) {
    this.unit = seeded(seed);
  }

  /** A whole number of at least 0 and less than `end`. */
  below(end: number): number {
    return Math.floor(this.unit() * end);
  }

  between(from: number, end: number): number {
    return from + this.below(end - from);
  }

  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(values: readonly T[]): T | undefined {
    return values[this.below(values.length)];
  }
}
