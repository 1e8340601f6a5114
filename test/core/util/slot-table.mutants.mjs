/** Mutants of `src/core/util/slot-table.ts`. */
export default {
  tests: ["test/core/util/slot-table"],
  deno: true,
  mutants: [
    ["a taken slot is given away", "while (this.#values[this.#slot(this.#last)] !== undefined);", "while (false);"],
    ["a value answers to every number of its slot", "this.#numbers[slot] === number ? ", "slot >= 0 ? "],
    ["a removed value is still there", "this.#values[slot] = undefined;", ""],
    ["a removed value is still counted", "this.#size--;", ""],
    [
      "the table never grows",
      "if (this.#size * 2 >= this.#values.length) this.#grow();",
      "if (this.#size + 1 >= this.#values.length) throw new RangeError();",
    ],
    ["growing forgets every value", "for (const [number, value] of all) this.put(number, value);", ""],
  ],
};
