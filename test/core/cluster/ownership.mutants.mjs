/** Mutants of `src/core/cluster/ownership.ts`. */
const simulation = { tests: ["test/simulation/cluster"] };

export default {
  tests: ["test/core/cluster/ownership.test"],
  deno: true,
  mutants: [
    ["silence counts while we could not hear", "this.#listeningSince = now.ms;", "", simulation],
    [
      "a lease is renewed before it is seen to have ended",
      "for (const one of this.#upstreams.values()) fallen += Number(one.expire(now));\n    input();",
      "input();\n    for (const one of this.#upstreams.values()) fallen += Number(one.expire(now));",
    ],
    ["a beat of an older connection proves contact", "|| at.ms < this.#connectedAt.ms", ""],
    ["contact begins without a look", "one.relook();", ""],
    ["every beat tells of everything", "if (!isDue && !one.hasNews) continue;", ""],
    ["news is told with the next beat only", "else if (owned.length + released.length === 0) return;", "else return;"],
    ["news postpones the next beat", "if (isDue) this.#beatAt", "this.#beatAt"],
    [
      "only the first part of a beat is sent",
      "for (const beat of beats) this",
      "for (const beat of beats.slice(0, 1)) this",
    ],
    ["a claim does not count for the next", "owned: standing.owned + 1", "owned: standing.owned"],
    ["a fence that fell is seen at the next beat", "fallen > 0 ? now.ms : ", ""],
    ["contact stays when the client says that it is lost", "this.#contact = undefined;", ""],
    ["another member is heard for good", "this.#heard.delete(member);", "void member;"],
    ["without contact others are silent", "if (!this.isInContact(now)) return false;\n    const", "const"],
    ["a host is gone while a member of it is heard", "member.startsWith(host) && ", "member === host && "],
    ["a host is gone after a lease", "return GONE_LEASES * ", "return "],
    ["a host is gone to who has not listened for long", " || now.ms - this.#listeningSince < this.goneAfterMs", ""],
    [
      "our own stall is the silence of others",
      "Math.max(since, heardAt, this.#listeningSince)",
      "Math.max(since, heardAt)",
    ],
    [
      "a member that has just asked is silent",
      "Math.max(since, heardAt, this.#listeningSince)",
      "Math.max(heardAt, this.#listeningSince)",
    ],
  ],
};
