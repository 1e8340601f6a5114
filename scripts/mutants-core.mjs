/** Mutants of the pure core, and of readers on the host, without a thread: `[what is then true, text, what stands in its place]`. */
const exchange = ["core/exchange/exchange", "core/exchange/lane"];
const session = ["core/connection/session", "core/connection/liveness"];

const pure = [
  {
    file: "src/core/exchange/request-table.ts",
    tests: exchange,
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
    file: "src/core/exchange/correlate-by-id.ts",
    tests: exchange,
    mutants: [
      ["an id in flight is drawn again", "isInFlight(this.#last) || ", ""],
      ["an id whose reply may still come is drawn again", " || this.#buried.has(this.#last)", ""],
      ["no tombstone is kept", "this.#buried.add(id);", ""],
      [
        "tombstones are kept for ever",
        "this.#buried.size > this.#buriedMax",
        "this.#buried.size < 0",
        { tests: ["test/core/exchange/exchange-ids"] },
      ],
      ["a late reply is late as often as it comes", "return this.#buried.delete(id);", "return this.#buried.has(id);"],
      ["ids do not begin anew", "this.#last >= this.#maxId ? 1 : this.#last + 1", "this.#last + 1"],
      [
        "all ids may be in flight at once",
        "this.capacity = maxId - half;",
        "this.capacity = maxId;",
        { tests: ["test/core/exchange/exchange-ids"] },
      ],
    ],
  },
  {
    file: "src/protocols/json-rpc.ts",
    tests: ["core/exchange/exchange", "protocols/json-rpc"],
    mutants: [
      ["the caller's id goes up", "frame: replace(text, span, String(id))", "frame: text"],
      ["our id comes down", 'typeof own === "string" ? replace(text, span, own)', 'typeof own === "string" ? text'],
    ],
  },
  {
    file: "src/core/exchange/batches.ts",
    tests: exchange,
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
    file: "src/core/exchange/admission.ts",
    tests: exchange,
    mutants: [
      ["draining takes new requests", "if (this.#closed) return failures.shuttingDown;", ""],
      [
        "a deadline that has passed is no matter",
        'if (call.deadline <= now) return failures.timedOut("no", 0, "reply");',
        "",
      ],
      [
        "what is past its deadline keeps its place",
        "this.#expire(now);",
        "",
        { tests: ["test/core/exchange/exchange-limits"] },
      ],
      ["the cap is one too low", "if (size + items > this.#inFlightMax)", "if (size + items >= this.#inFlightMax)"],
      [
        "the cap is one too high",
        "if (size + items > this.#inFlightMax)",
        "if (size + items > this.#inFlightMax + 1)",
        { tests: ["test/core/exchange/exchange-limits"] },
      ],
      ["bytes in the socket do not count", "heldBytes + buffered + sizeOf", "heldBytes + sizeOf"],
    ],
  },
  {
    file: "src/core/exchange/send-queue.ts",
    tests: exchange,
    mutants: [
      [
        "between attempts requests are held",
        'if (this.#link.type === "down") return failures.unavailable(this.#link, now);',
        "",
      ],
      ["a request is held until its deadline", ": Math.min(deadline, now + HOLD_MS);", ": deadline;"],
      [
        "once connected a request still ends with its hold",
        "for (const entry of this.#requests.pending.held) this.#requests.file(entry, entry.deadline);",
        "",
      ],
      ["the next connection owes what the one before it did", "this.#requests.correlation.clear();", ""],
      ["what is held is left when it cannot be sent any more", "this.#requests.fail(entry, failure);", "void entry;"],
    ],
  },
  {
    file: "src/core/exchange/delivery-proofs.ts",
    tests: exchange,
    mutants: [
      ["a pong proves nothing", "this.#proven.set(epoch, messages);", ""],
      [
        "a pong of the old connection proves for the new",
        "this.#proven.set(epoch, messages);",
        "this.#proven.set(this.#epoch, messages);",
      ],
      [
        "a pong proves what was sent after its ping",
        "entry.order <= (this.#proven.get(entry.epoch) ?? 0)",
        "this.#proven.has(entry.epoch)",
      ],
      [
        "what was proven holds for the next connection",
        "this.#proven.get(entry.epoch)",
        "Math.max(0, ...this.#proven.values())",
      ],
      ["what was never sent was perhaps sent", 'if (entry.epoch === 0) return "no";', ""],
    ],
  },
  {
    file: "src/core/exchange/in-flight.ts",
    tests: exchange,
    mutants: [
      ["deadlines are ignored", "this.#wheel.add(entry, entry.dueAt);", ""],
      ["a request ends twice", "this.forget(entry);\n    const times", "const times"],
    ],
  },
  {
    file: "src/core/exchange/exchange.ts",
    tests: exchange,
    mutants: [
      ["draining leaves what is held", "this.#outgoing.failHeld(failures.shuttingDown);", ""],
      [
        "a lost connection fails nothing",
        "this.#requests.fail(entry, failures.lost(this.#delivery.sent(entry), why, awaited(entry)));",
        "void why;",
      ],
      [
        "a lost connection fails what is on others",
        "for (const entry of this.#on(epoch)) {",
        "for (const entry of this.#requests.pending.where(() => true)) {",
      ],
      [
        "a lost connection still owes replies",
        "if (this.#delivery.isNewest(epoch)) this.#requests.correlation.clear();",
        "",
      ],
      ["a lost connection is written to", "this.#outgoing.unlink(epoch, now);\n    return", "return"],
      ["a socket that takes nothing is written to", "this.#outgoing.unlink(entry.epoch, now);", ""],
      ["a timeout asks for no sign of life", 'if (sent === "maybe") this.#effects.push({ type: "probe" });', ""],
      [
        "cancelling leaves what is pending",
        "this.#requests.fail(entry, failures.cancelled(sent, awaited(entry)));",
        "",
      ],
      ["cancelling counts all as perhaps sent", "counts[sent]++;", "counts.maybe++;"],
      ["cancelling leaves a lane its deadline", "this.#requests.correlation.clear();\n    return", "return"],
    ],
  },
  {
    file: "src/core/exchange/failures.ts",
    tests: exchange,
    mutants: [
      ["cancelled says that nothing was sent", '{ code: "cancelled", sent, ', '{ code: "cancelled", sent: "no", '],
    ],
  },
  {
    file: "src/core/exchange/correlate-by-order.ts",
    tests: exchange,
    mutants: [
      ["a request goes out while a reply is owed", "!this.#owed && (!expectsReply", "(!expectsReply"],
      [
        "a request goes out while a send may be answered",
        "!expectsReply || this.#unasked === 0",
        "!expectsReply || this.#unasked >= 0",
      ],
      ["what is owed stays owed after it came", "if (late) this.#owed = false;", "if (late) this.#until = undefined;"],
      ["a lane waits for ever for what it is owed", "return owed;", "return false;"],
    ],
  },
  {
    file: "src/core/exchange/correlate-by-order.ts",
    tests: ["core/exchange/lane", "core/exchange/exchange-rotation"],
    mutants: [
      ["a lane takes two at once", "this.#current === undefined && this.#lane.takes", "this.#lane.takes"],
      ["a lane forgets what it is owed", "this.#bury(true, now);", "void now;"],
      ["what an older connection owes holds back the newest", "if (!newest) return;", "void newest;"],
      ["what was sent unasked leaves no tombstone", "else this.#bury(false, now);", "else void now;"],
      [
        "a frame of an older connection answers",
        "if (this.#current?.epoch === epoch)",
        "if (this.#current && epoch > 0)",
      ],
      [
        "who is answered on an older connection is another of its requests",
        "if (entry.epoch === epoch) return",
        "if (epoch > 0) return",
      ],
      [
        "what is on its way over an older connection holds back the newest",
        "    this.#current = undefined;\n    this.#unfile",
        "    this.#unfile",
      ],
      [
        "a tombstone that is gone keeps its deadline",
        "if (until !== this.#lane.until) this.#unfile(until);",
        "void until;",
      ],
      [
        "a tombstone has a deadline for each that was before it",
        "this.#unfile(this.#lane.until);\n    this.#wheel.add",
        "this.#wheel.add",
      ],
    ],
  },
  {
    file: "src/core/exchange/correlate-by-id.ts",
    tests: ["core/exchange/exchange"],
    mutants: [
      ["nothing is remembered of a request that timed out", "this.#ids.bury(entry.wire);", "void entry;"],
      ["a caller's id whose reply may still come is taken", " || this.#ids.isBuried(wire)", ""],
      ["an older connection frees an id of the newest", 'if (this.#callers && !newest) return "unclaimed";', ""],
      ["what an older connection owes takes an id of the newest", "if (newest || !this.#callers) this", "this"],
      ["a caller's id is taken for ever", "if (this.#callers) this.#ids.forget();", "void this.#callers;"],
      [
        "a part of a late reply is all of it",
        "last ? this.#ids.exhume(wire)",
        "last || !last ? this.#ids.exhume(wire)",
      ],
    ],
  },
  {
    file: "src/core/connection/session.ts",
    tests: session,
    mutants: [
      [
        "input of a stale epoch is taken",
        'if ("epoch" in input && !("epoch" in at && at.epoch === input.epoch)) return { session, effects: [] };',
        "",
      ],
      ["an epoch is used twice", "const epoch = session.epoch + 1;", "const epoch = 1;"],
      [
        "an open socket resets the failures",
        "return be(session, at, context, effects);",
        "return be({ ...session, failures: 0 }, at, context, effects);",
      ],
      [
        "traffic does not reset the failures",
        "const working = { ...session, failures: 0 };",
        "const working = session;",
      ],
      ["failures are not counted", "failures: session.failures + 1", "failures: session.failures"],
      ["any pong proves", " || at.ladder.ping.proof !== proof", ""],
      [
        "a silent peer is pinged for ever",
        'return giveUp(session, at.epoch, { reason: "silent", rung: due.rung, withinMs }, context);',
        "return withinMs < 0 ? stay(session) : ping(session, at, context);",
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
    file: "src/core/util/backoff.ts",
    tests: ["core/util/backoff"],
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
  {
    file: "src/core/connection/liveness.ts",
    tests: ["core/connection/liveness"],
    mutants: [
      ["what the peer says does not move the silence on", "Math.max(since, heardAt)", "Math.min(since, heardAt)"],
      ["silence counts from before the connection", "Math.max(since, heardAt)", "Math.max(since * 0, heardAt)"],
      ["a ping without an answer blames nobody", "blames: ping.proof !== undefined", "blames: false"],
      ["a heartbeat without an answer blames nobody", "blames: heartbeat.asked", "blames: false"],
      ["who was asleep blames the peer", "now - at > SLEPT_MS", "now - at > SLEPT_MS * 1e9"],
      [
        "a heartbeat's answer has its whole interval",
        "(expect ? within : every)",
        "(expect ? within * 0 + every : every)",
      ],
      ["a heartbeat stays unanswered", "due: now + every, asked: false", "due: now + every, asked: true"],
    ],
  },
  {
    file: "src/core/connection/rotation.ts",
    tests: ["core/connection/rotation"],
    mutants: [
      ["two successors at a time", "if (next || at.phase", "if (at.phase"],
      ["who asks always is left without a pause", "if (before === 0) return", "if (before >= 0) return"],
      ["who asks twice is left sooner", " || asked === epoch", ""],
      ["one that has lasted is left late", "< to ? hurried : 0", "< to ? hurried : hurried"],
      ["what was left already is left again", "at.epoch !== epoch || asked === epoch", "asked === epoch"],
      ["a successor has an epoch that has been", "{ ...newSession, epoch: current.epoch }", "newSession"],
      [
        "a successor is current before it is greeted",
        'if (session.at.phase !== "ready") return { pair: { ...pair, next: session }',
        'if (session.at.phase !== "ready" && session.at.phase !== "greeting") return { pair: { ...pair, next: session }',
      ],
      ["the successor is retired", 'type: "retire", epoch: pair.current.epoch', 'type: "retire", epoch: session.epoch'],
      ["beside a successor another attempt begins", ' && type !== "connect")', ")"],
      ["a close leaves the successor", "...left, noNextTimer", "...left.slice(0, 0), noNextTimer"],
      [
        "a failed attempt loses requests",
        'return effect.type === "lost" ? { type: "notRotated", why: effect.why } : effect;',
        "return effect;",
      ],
      ["the successor sets the other's timer", '{ ...effect, type: "nextTimer" }', "effect"],
      ["a connection may grow older than is allowed", "1 - random / 4", "1 + random / 4"],
    ],
  },
  {
    file: "src/core/exchange/rate-limit.ts",
    tests: ["core/exchange/rate-limit"],
    mutants: [
      ["a message goes out a moment too soon", "before + this.#per)", "before + this.#per - 1)"],
      ["whoever waits for the next round is told too soon", "this.#per * Math.floor", "0 * Math.floor"],
      ["only the first one is remembered", "this.#next = (this.#next + 1) % this.#sent.length;", ""],
    ],
  },
  {
    file: "src/core/messages/journal.ts",
    tests: ["core/messages/journal"],
    mutants: [
      ["a gap counts one too few", "this.#oldest - 1 - seq;", "this.#oldest - 2 - seq;"],
      ["a count that nobody can know is told", "seq < this.#uncounted", "seq < 0 * this.#uncounted"],
      ["a count is unknown for ever", "seq < this.#uncounted", "seq <= this.#uncounted"],
      ["a cursor of another life is one of this", "if (after.epoch === this.epoch)", 'if (after.epoch !== "")'],
      [
        "a crash is an end like any other",
        "const crashed = this.#former.includes(after.epoch);",
        "const crashed = this.#former.length < 0;",
      ],
      ["a cursor that nobody was given is read", "if (from.seq > this.#newest) return undefined;", ""],
      ["bytes have no bound", "this.#bytes + ENTRY_BYTES + length > bytes", "bytes < 0"],
      ["the count has no bound", "this.size >= count ||", "this.size > count ||"],
      ["what makes way still counts", "this.#bytes -= sizeOf(entry);", ""],
      ["a message larger than a page never comes", "wanted && bytes > 0 && bytes", "wanted && bytes"],
      ["a page has no bound in bytes", "bytes + size > PAGE_BYTES", "bytes + size < PAGE_BYTES * 0"],
      ["a page has one too many", "entries.length < limit", "entries.length <= limit"],
      ["a filter looks through everything at once", "scanned < PAGE_SCAN", "scanned < PAGE_SCAN * 1e9"],
      [
        "a filter hides gaps",
        '"gap" in entry || where === undefined || where(entry)',
        'where === undefined || (!("gap" in entry) && where(entry))',
      ],
      [
        "a filter stays where nothing is wanted",
        "next++;\n      if (!wanted) continue;",
        "if (!wanted) continue;\n      next++;",
      ],
      [
        "a time away is not told",
        'this.#mark(at, { dropped: null, reason: "away", from, to: at, why });',
        "void [from, at, why];",
      ],
      [
        "before the first connection there is a gap",
        "if (this.#live) this.#away",
        "this.#live ||= true;\n    this.#away",
      ],
      ["what stays away is told once", "this.#away = { from: at, why };\n  }\n\n  /** There is", "}\n\n  /** There is"],
      ["a gap before everything is of 1970", "oldest?.at ?? this.#began", "0"],
    ],
  },
  {
    file: "src/core/messages/body-store.ts",
    tests: ["core/messages/body-store", "core/messages/journal"],
    mutants: [
      ["a block is used while something lies in it", "if (block.live > 0 || !block.shared) return;", ""],
      ["a block is never used again", "this.#spare.length < SPARE_MAX", "this.#spare.length < 0"],
      ["a character has one byte", "body.length * 3", "body.length"],
      ["a large body is the sender's", "new Uint8Array(body))", "body)"],
      ["a reader gets the block itself", "return bytesAt(place).slice();", "return bytesAt(place);"],
      ["a byte order mark is lost", "{ ignoreBOM: true }", "{}"],
    ],
  },
  {
    file: "src/core/messages/subscriptions.ts",
    tests: ["core/messages/subscriptions"],
    mutants: [
      [
        "nothing is asked for on a new connection",
        "for (const subscription of this.#byName.values()) this.#ask(subscription);",
        "",
      ],
      ["what was taken back comes to life again", "this.#byName.delete(name);", ""],
      ["what was taken back on its way lives", "subscription.removed = true;", ""],
      ["what was taken back fails all the same", "if (!subscription.removed) this.#fail(", "this.#fail("],
      ["messages before the reply are lost", "for (const json of this.#early) this.#tell(subscription, json);", ""],
      ["messages before the reply are kept for others", "if (this.#asked.size === 0) this.#forgetEarly();", ""],
      [
        "messages before the reply have no bound",
        "this.#early.length < EARLY_MAX &&",
        "this.#early.length < EARLY_MAX * 1e9 &&",
      ],
      [
        "their characters have no bound",
        "this.#earlyCharacters < EARLY_CHARACTERS",
        "this.#earlyCharacters < EARLY_CHARACTERS * 1e9",
      ],
      ["a name of a lost connection is known still", "subscription.isOurs = undefined;", ""],
      ["an answer of a lost connection counts", "this.#asked.clear();", ""],
      ["what has failed is asked for without a connection", "subscription.retryAt = undefined;\n      if", "if"],
      [
        "what has failed is asked for a moment too soon",
        "subscription.retryAt <= now",
        "subscription.retryAt <= now + 1",
      ],
      ["what works again is still asked for rarely", "subscription.failures = 0;", ""],
      ["what is agreed to too late stays", "this.#remember(number, subscription);", ""],
      ["what was too late on a lost connection counts", "this.#unanswered.clear();", ""],
      ["taking one back ends another", "undoing(theirs, known) === message", "undoing(theirs, known) === undefined"],
      ["what there was no room to undo stays", "this.#untold.set(undoing", "new Map().set(undoing"],
      ["what ended with its connection is undone", "this.#untold.clear();", ""],
      ["it is asked for again at once", "Math.max(retry.from, fullJitter", "Math.max(0, fullJitter"],
    ],
  },
  {
    file: "src/core/outcome.ts",
    tests: ["core/kept-replies"],
    mutants: [
      ["one unsent item frees the whole batch", "outcome.items.every(isUnsent)", "outcome.items.some(isUnsent)"],
      ["a notification of a batch was never sent", "outcome.done === 0 && ", ""],
    ],
  },
  {
    file: "src/core/kept-replies.ts",
    tests: ["core/kept-replies"],
    mutants: [
      ["what has ended is kept a moment too long", "< this.#bounds.keep", "<= this.#bounds.keep"],
      ["a late reply is as old as its timeout", "kept.agesFrom = now;", "kept.agesFrom ??= now;"],
      ["a late reply keeps its place", "this.#aging.delete(kept);\n      this.#aging.add", "this.#aging.add"],
      ["what was forgotten comes back", "if (known) {", "if (known || now >= 0) {"],
      ["an older one takes the key of a newer with it", " && this.#byKey.get(kept.key) === kept", ""],
      [
        "what is unsent cannot be tried again",
        "if (isUnsent(outcome)) this.#release(kept);",
        "if (isUnsent(outcome)) void kept;",
      ],
      ["what is forgotten still counts", "this.#bytes -= sizeOf(kept.state);", ""],
      ["bytes have no bound", "this.#bytes <= this.#bounds.bytes", "this.#bytes >= 0 * this.#bounds.bytes"],
      ["the count has one too many", "this.#byId.size >= this.#bounds.count", "this.#byId.size > this.#bounds.count"],
      [
        "who waits is not told that it is forgotten",
        "for (const watcher of [...kept.watchers]) watcher(kept.state);",
        "",
      ],
      ["who waits is not told of the end", "for (const watcher of [...kept.watchers]) watcher(state);", ""],
    ],
  },
  {
    file: "src/core/util/slot-table.ts",
    tests: ["core/util/slot-table"],
    mutants: [
      [
        "a place is given away that is taken",
        "while (this.#values[this.#place(this.#last)] !== undefined);",
        "while (false);",
      ],
      ["a value answers to every number of its place", "this.#numbers[place] === number ? ", "place >= 0 ? "],
      ["what was taken is there still", "this.#values[place] = undefined;", ""],
      ["what was taken is counted still", "this.#size--;", ""],
      [
        "there is no more room than there was",
        "if (this.#size * 2 >= this.#values.length) this.#grow();",
        "if (this.#size + 1 >= this.#values.length) throw new RangeError();",
      ],
      ["who grows forgets", "for (const [number, value] of all) this.put(number, value);", ""],
    ],
  },
  {
    file: "src/sidecar/host/waiters.ts",
    tests: ["sidecar/host/waiters"],
    mutants: [
      ["nobody is told that no answer came", "this.#alarm.set(waiter.until);", ""],
      ["who waits longer is not told", "this.#alarm.set(next);", ""],
      [
        "everybody is told when the first one is",
        "if (until <= now) this.#onOverdue(seq);",
        "if (until <= now || seq) this.#onOverdue(seq);",
      ],
    ],
  },
  {
    file: "src/sidecar/message-codec.ts",
    tests: ["sidecar/batching"],
    mutants: [
      ["a long text is not marked as text", "isLongText || isText, queueMs", "isText, queueMs"],
      ["a view drags its buffer along", "isWhole ? buffer : new Uint8Array(body).buffer", "body.buffer"],
    ],
  },
  {
    file: "src/sidecar/host/journal-reader.ts",
    tests: ["sidecar/host/journal-reader"],
    mutants: [
      ["a reader is told twice", "seq > after.seq;", "seq >= after.seq;"],
      ["who wants nothing is given more", "(!cut && this.#consumer.wants())", "!cut"],
      ["another reader's gap is told", '? "elsewhere" : page', "? page : page"],
      ["what others missed is gone for who came later", "filter(isNew), gone: false", "filter(isNew)"],
      [
        "a page is longer than asked for",
        "fresh.entries.length > this.#limit;",
        "fresh.entries.length > this.#limit + 1;",
      ],
      ["who has left is told that there is nothing more", ' || this.#state === "over") return;', ") return;"],
      ["what is over the limit is lost", "next: entries.at(-1)?.seq ?? page.next,", "next: page.next,"],
    ],
  },
  {
    file: "src/sidecar/thread/journals.ts",
    tests: ["sidecar/host/journal-reader"],
    mutants: [
      ["who waits is not told what went by", "next - after.seq > kept / 2", "next - after.seq > kept * 1e9"],
      ["who waits is told of all that goes by", "next - after.seq > kept / 2", "next - after.seq > 0 * kept"],
    ],
  },
  {
    file: "src/sidecar/host/journal-pulls.ts",
    tests: ["sidecar/host/journal-reader"],
    mutants: [
      ["a reader joins those that are ahead", " || shared.from.seq > from.seq", ""],
      ["every reader has a pull of its own", "if (!shared) {", "if (!shared || shared) {"],
      ["a pull that nobody waits for stays", "this.#cancel(joined.seq);", ""],
      ["a new thread is asked for nothing", "for (const { command } of this.#pulls.values()) this.#post(command);", ""],
      ["the exit is not told to readers", "for (const onEnd of readers) onEnd(end);", ""],
      ["the end of a journal is not told to who follows", "for (const reader of [...readers]) reader.end(end);", ""],
      ["a pull that was answered is asked for again", "this.#pulls.delete(seq);\n    if (typeof", "if (typeof"],
    ],
  },
];

/** On Deno, which runs the source as it is: for none of them must anything be compiled. */
export const core = pure.map((each) => ({ ...each, deno: true }));
