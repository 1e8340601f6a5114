/** Mutants of `src/core/cluster/claims.ts`. */
const simulation = { tests: ["test/simulation/cluster"] };

export default {
  tests: ["test/core/cluster/claims.test"],
  deno: true,
  mutants: [
    ["a key is claimed whoever has it", "after: 0, value: {", "after: -1, value: {"],
    [
      "an older owner's claim is sent again",
      'request.phase = { name: "marking" };',
      "return this.#send(request, revision, now);",
    ],
    ["a released owner's claim is ended", "this.#claimant.wasReleased(value.term)", "value.term < 0"],
    ["a newer owner's claim is ended", "value.term > this.#claimant.term", "value.term < 0"],
    ["a claim of ours is taken for another's", "value.attempt === attempt", 'attempt === ""'],
    ["a message that was not sent keeps its key", "isUnsent ? undefined : end, end, now", "end, end, now"],
    [
      "an end is told before it is stored",
      "this.#offer(request, { name",
      "this.#answer(request, answer);\n    this.#offer(request, { name",
    ],
    [
      "an end that another has decided is told otherwise",
      'this.#answer(request, record.value.end);\n    else if (record && "attempt"',
      'this.#answer(request, phase.answer);\n    else if (record && "attempt"',
    ],
    [
      "a full store is asked until the deadline",
      'else if (phase.name === "claiming" && outcome === "full") this.#answer(request, { type: "full" });',
      "",
    ],
    ["a stored end is owed for good", 'if (request.phase.name === "storing") this.#storing--;', ""],
    ["one key stands for any message", "if (value.digest !== digest)", 'if (digest === "")'],
    [
      "the end of another message is told",
      "else if (record && record.value.digest !== request.digest) this.#answer(request, phase.answer);\n",
      "\n",
    ],
    ["messages with one key are joined, whatever they are", "else if (present.digest === digest)", "else if (present)"],
    ["a message is sent for an asker that has left", "if (!asker) this.#store", "if (asker === null) this.#store"],
    [
      "a claim is called unavailable after it was seen",
      'request.isClaimed || isSending ? "undecided" : "unavailable"',
      '"unavailable"',
    ],
    ["the sender is answered before its message ends", " && !(isSending && phase.seq === seq)", ""],
    [
      "a claim that the store may have taken is forgotten with its last asker",
      "request.doubtUntil ??= now + STORE_FOR_MS;",
      "void request;",
    ],
    [
      "a claim that the store has not taken is looked for",
      'phase.name === "claiming" && outcome === "unknown"',
      'phase.name === "claiming" && typeof outcome === "string"',
    ],
    ["a claim is looked for when it is known whose it is", "    request.doubtUntil = undefined;\n", ""],
    [
      "a claim is looked for without end",
      "request.doubtUntil !== undefined && now < request.doubtUntil",
      "request.doubtUntil !== undefined",
    ],
    ["claims that nobody asks for are looked for without bound", "isInDoubt && doubts <= DOUBTS_MAX", "isInDoubt"],
    [
      "claims that somebody asks for count as doubts",
      "if (isInDoubt && request.askers.length === 0) doubts++;",
      "if (isInDoubt) doubts++;",
    ],
    [
      "a key that is being given back may be sent",
      'phase.name === "storing" ? phase.end !== undefined : ',
      'phase.name === "storing" || ',
    ],
    [
      "a key that another owner has claimed was not sent",
      'phase.name === "sending" || request.isClaimed',
      'phase.name === "sending"',
    ],
    ["an end is offered for ever", "if (now >= phase.giveUpAt)", "if (now < 0)"],
    ["a second report counts", 'else if (phase.name !== "looking") return;', ""],
    [
      "a claim is sent before it is won",
      'phase.name === "claiming" && typeof outcome === "number"',
      'phase.name === "claiming"',
      simulation,
    ],
  ],
};
