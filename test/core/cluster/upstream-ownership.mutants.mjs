/** Mutants of `src/core/cluster/upstream-ownership.ts`. */
const simulation = { tests: ["test/simulation/cluster"] };

export default {
  tests: ["test/core/cluster/ownership.test"],
  deno: true,
  mutants: [
    [
      "there is no fence",
      "return ageOf(held.from, now) < this.#times.lease - this.#times.margin;",
      "return true;",
      simulation,
    ],
    ["a late beat raises the fence again", "held.hasFallen = true;", "held.hasFallen = false;", simulation],
    ["the phase is no news", " || this.phase !== phase)) return true", ")) return true"],
    ["a newer term does not end an older one", 'this.resign("taken");\n  }\n\n  #isSilent', "}\n\n  #isSilent"],
    ["a beat renews a term that it does not tell of", "if (this.#held?.term === term)", "if (this.#held)"],
    [
      "a claim that took as long as a lease is a lease",
      " || ageOf(at, now) >= this.#times.lease - this.#times.margin",
      "",
    ],
    ["a term that was resigned meanwhile is owned", "held !== renews || ", ""],
    ["a release goes on writing", "this.#held !== undefined && !this.#isLeaving", "this.#held !== undefined"],
    ["nobody replaces an owner that is silent", "return silentSince + this.#times.lease", "return never", simulation],
    ["an owner is replaced before its lease ends", "silentSince + this.#times.lease +", "silentSince +", simulation],
    ["a record of our own is nobody's", "if (isBy(record.value, this.#member)) return this.#learnedAt;", ""],
    ["all members claim at the same time", "this.#chance.unit() * PATIENCE_MS", "0"],
    ["one member takes everything", "owned * SPREAD_MS", "0"],
    ["an owner that serves alone ends with its lease", " && !servesAlone", ""],
    ["an owner that serves alone has a fence", "(this.#bearing.servesAlone || this.isSole(now))", "this.isSole(now)"],
    ["an owner that serves alone resigns without another", '"lost" && !this.#bearing.servesAlone', '"lost"'],
    ["a store that was lost ends an owner that serves alone", " || isNobodys)", ")"],
    ["nobody waits for one that dials again", "(this.#bearing.servesAlone ? REDIAL_MS : 0)", "0"],
    ["an exclusive upstream needs no proof", "else if (isExclusive &&", "else if (!isExclusive &&"],
    ["a restored store is not believed", "revision < known.term && !decides", "revision < known.term"],
    ["an upstream that was released is claimed again", "if (this.#isLeaving) this.#release();\n    else if", "if"],
    [
      "a lost acknowledgement loses the release",
      "held && this.#isLeaving && isSame(",
      "held && isSame(value, value) && !isSame(",
    ],
  ],
};
