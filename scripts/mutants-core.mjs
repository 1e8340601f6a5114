/** Mutants of the correlation core: `[what is then true, text, what stands in its place]`. */
const tests = ["test/core/"];

export const core = [
  {
    file: "src/core/pending.ts",
    tests,
    mutants: [
      [
        "a reply answers over whatever connection it comes",
        "entry !== undefined && entry.epoch === epoch ? entry : undefined",
        "entry",
      ],
      ["what has ended stays in the table", "this.#byWire.delete(entry.wire);", ""],
      ["the end of an item takes its first sibling out", "siblings?.indexOf(entry) ?? -1", "0"],
      [
        "bytes that were sent count as waiting",
        "if (this.#held.delete(entry)) this.#heldBytes -= entry.bytes;",
        "this.#held.delete(entry);",
      ],
    ],
  },
  {
    file: "src/core/wire-ids.ts",
    tests,
    mutants: [
      ["an id in flight is drawn again", "isInFlight(this.#last) || ", ""],
      ["an id whose reply may still come is drawn again", " || this.#buried.has(this.#last)", ""],
      ["no tombstone is kept", "this.#buried.add(id);", ""],
      [
        "tombstones are kept for ever",
        "this.#buried.size > this.#buriedMax",
        "this.#buried.size < 0",
        { tests: ["test/core/exchange-ids"] },
      ],
      ["a late reply is late as often as it comes", "return this.#buried.delete(id);", "return this.#buried.has(id);"],
      ["ids do not begin anew", "this.#last >= this.#maxId ? 1 : this.#last + 1", "this.#last + 1"],
      [
        "all ids may be in flight at once",
        "this.capacity = maxId - half;",
        "this.capacity = maxId;",
        { tests: ["test/core/exchange-ids"] },
      ],
    ],
  },
  {
    file: "src/protocols/json-rpc.ts",
    tests: [...tests, "protocols/json-rpc"],
    mutants: [
      ["the caller's id goes up", "frame: replace(text, span, String(id))", "frame: text"],
      ["our id comes down", 'typeof own === "string" ? replace(text, span, own)', 'typeof own === "string" ? text'],
    ],
  },
  {
    file: "src/core/batches.ts",
    tests,
    mutants: [
      [
        "a batch comes back in reverse",
        "batch.items[index] = outcome",
        "batch.items[batch.items.length - 1 - index] = outcome",
      ],
      ["a batch ends with its first item", "if (--batch.left > 0) return undefined;", ""],
    ],
  },
  {
    file: "src/core/exchange.ts",
    tests,
    mutants: [
      ["draining takes new requests", "if (this.#draining) return failures.shuttingDown;", ""],
      ["draining leaves what is held", "this.#fail(entry, failures.shuttingDown);", "void entry;"],
      ["a deadline that has passed is no matter", 'if (call.deadline <= now) return failures.timedOut("no", 0);', ""],
      ["the cap is one too low", "this.#pending.size + items > in_flight", "this.#pending.size + items >= in_flight"],
      [
        "the cap is one too high",
        "this.#pending.size + items > in_flight",
        "this.#pending.size + items > in_flight + 1",
        { tests: ["test/core/exchange-limits"] },
      ],
      ["bytes in the socket do not count", "heldBytes + buffered + sizeOf", "heldBytes + sizeOf"],
      [
        "between attempts requests are held",
        'if (this.#link.type === "down") return failures.unavailable(this.#link, now);',
        "",
      ],
      ["a request is held until its deadline", ": Math.min(call.deadline, now + HOLD_MS);", ": call.deadline;"],
      [
        "once connected a request still ends with its hold",
        "for (const entry of this.#pending.held) this.#file(entry, entry.deadline);",
        "",
      ],
      ["deadlines are ignored", "this.#wheel.add(entry, dueAt);", ""],
      ["a lost connection fails nothing", "this.#fail(entry, failures.lost(this.#sent(entry), why));", "void why;"],
      [
        "a lost connection fails what is on others",
        "(const entry of this.#pending.where((entry) => entry.epoch === epoch)) {",
        "(const entry of this.#pending.where(() => true)) {",
      ],
      ["a lost connection still owes replies", "this.#clearLane();\n    this.#unlink", "this.#unlink"],
      ["a lost connection is written to", "this.#unlink(epoch, now);", ""],
      ["a socket that takes nothing is written to", "this.#unlink(entry.epoch, now);", ""],
      ["a pong proves nothing", "if (epoch === this.#epoch) this.#proven = messages;", ""],
      ["a pong of the old connection proves", "if (epoch === this.#epoch) this.#proven", "this.#proven"],
      ["a pong proves what was sent after its ping", "entry.order <= this.#proven", "this.#proven > 0"],
      ["what was proven holds for the next connection", "      this.#proven = 0;\n", ""],
      ["what was never sent was perhaps sent", 'if (entry.epoch === 0) return "no";', ""],
      ["nothing is remembered of a request that timed out", "this.#ids.bury(entry.wire);", ""],
      ["a lane takes two at once", "if (this.#lane && !this.#lane.takes(entry.expectsReply)) break;", ""],
      ["a lane forgets what it is owed", "this.#bury(this.#lane, true, now);", ""],
      ["a timeout asks for no sign of life", 'if (sent === "maybe") this.#effects.push({ type: "probe" });', ""],
      ["a request ends twice", "this.#forget(entry);\n    const times", "const times"],
      ["cancelling leaves what is pending", "this.#fail(entry, failures.cancelled(sent));", ""],
      ["cancelling counts all as perhaps sent", "counts[sent]++;", "counts.maybe++;"],
      ["cancelling leaves a lane its deadline", "this.#clearLane();\n    return", "return"],
    ],
  },
  {
    file: "src/core/failures.ts",
    tests,
    mutants: [
      ["cancelled says that nothing was sent", '{ code: "cancelled", sent, ', '{ code: "cancelled", sent: "no", '],
    ],
  },
  {
    file: "src/core/lane.ts",
    tests,
    mutants: [
      [
        "a request goes out while a reply is owed",
        "this.current !== undefined || this.#owed",
        "this.current !== undefined",
      ],
      [
        "a request goes out while a send may be answered",
        "return !expectsReply || this.#unasked === 0;",
        "return true;",
      ],
      ["what is owed stays owed after it came", "if (late) this.#owed = false;", "if (late) this.#until = undefined;"],
      ["a lane waits for ever for what it is owed", "return owed;", "return false;"],
    ],
  },
  {
    file: "src/core/session.ts",
    tests,
    mutants: [
      [
        "input of a stale epoch is taken",
        'if ("epoch" in input && !("epoch" in at && at.epoch === input.epoch)) return { session, effects: [] };',
        "",
      ],
      ["an epoch is used twice", "const epoch = session.epoch + 1;", "const epoch = 1;"],
      [
        "an open socket resets the failures",
        '{ ...session, at: { phase: "ready", epoch, pong: undefined } }, effects };',
        '{ ...session, failures: 0, at: { phase: "ready", epoch, pong: undefined } }, effects };',
      ],
      [
        "traffic does not reset the failures",
        "{ session: { ...session, failures: 0 }, effects: [] }",
        "{ session, effects: [] }",
      ],
      ["failures are not counted", "failures: session.failures + 1", "failures: session.failures"],
      ["any pong proves", " || at.pong !== proof", ""],
      [
        "a silent peer is pinged for ever",
        'return giveUp(session, at.epoch, { reason: "silent", withinMs: keepalive.pong_within }, context);',
        "return ping(session, at.epoch, context);",
      ],
      ["what is given up is not broken", '{ type: "destroy", epoch },\n    ', ""],
      ["a renewal tells nobody", '{ type: "lost", epoch: at.epoch, why: { reason: "renewed", detail } },', ""],
      [
        "after the close it connects again",
        'if (at.phase === "closing") return { session: { ...session, at: { phase: "closed" } }, effects: [] };',
        "",
      ],
      ["a close leaves the attempt", 'effects: [{ type: "destroy", epoch: at.epoch }] };', "effects: [] };"],
      [
        "a close leaves the timer of the next attempt",
        'at: { phase: "closed" } }, effects: [quiet] };',
        'at: { phase: "closed" } }, effects: [] };',
      ],
    ],
  },
  {
    file: "src/core/backoff.ts",
    tests,
    mutants: [
      ["the delay does not grow", "2 ** Math.min(attempt, 30)", "1"],
      [
        "the delay grows without end",
        "Math.min(toMs, fromMs * 2 ** Math.min(attempt, 30))",
        "fromMs * 2 ** Math.min(attempt, 30)",
      ],
      ["all clients wait alike", "Math.round(ceiling * random)", "ceiling"],
    ],
  },
];
