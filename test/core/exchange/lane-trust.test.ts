/** Tests of lanes whose upstream sends more frames than one for each request. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { QUIET_MS } from "../../../src/core/exchange/correlate-by-order.ts";
import { preparePatterns } from "../../../src/protocols/lazy-pattern.ts";
import type { Protocol } from "../../../src/protocols/protocol.ts";
import { text } from "../../../src/protocols/text.ts";
import { textByOrder } from "../../../src/protocols/text-by-order.ts";
import { ExchangeModel, type Taken } from "./exchange-model.ts";

await preparePatterns({ text: "" });

/** Connects again a moment after each renewal. */
function connected(protocol: Protocol): ExchangeModel {
  const model = new ExchangeModel(protocol);
  model.onRenew = () => {
    const { connection } = model;
    model.at(model.now + 20, () => model.connection === connection && model.connect());
  };
  model.connect();
  return model;
}

const sent = (model: ExchangeModel) => model.taken.map(({ frame, connection }) => `${frame} on ${connection}`);

describe("without rules", () => {
  test("a frame too many is a message, is counted, and costs the next request a new connection", () => {
    const model = connected(text);
    const first = model.call("a");
    const second = model.call("b");
    model.frame("A1");
    model.pass(QUIET_MS - 1);
    assert.deepEqual(sent(model), ["a on 1"], "a second frame may still come");
    model.frame("A2");
    assert.deepEqual([model.messages, model.exchange.counters.unclaimed], [["A2"], 1]);
    model.pass(100);
    assert.deepEqual([sent(model), model.renewals], [["a on 1", "b on 2"], 1]);
    model.frame("B");
    assert.deepEqual([model.reply(first), model.reply(second)], ["A1", "B"]);
  });

  test("a frame while nobody waits renews nothing until there is a request, which then goes out once", () => {
    const model = connected(text);
    model.call("a");
    model.frame("A");
    model.pass(1_000);
    for (const frame of ["x", "y", "z"]) model.frame(frame);
    model.pass(60_000);
    assert.deepEqual([model.renewals, model.exchange.counters.unclaimed], [0, 3]);
    const seq = model.call("b");
    model.pass(100);
    assert.deepEqual([sent(model), model.renewals], [["a on 1", "b on 2"], 1]);
    model.frame("B");
    assert.equal(model.reply(seq), "B");
  });

  test("a banner, and a feed on a connection without requests, renew nothing", () => {
    const model = connected(text);
    for (let tick = 0; tick < 100; tick++) model.frame(`tick ${tick}`);
    model.call("s", "send");
    model.frame("S");
    const seq = model.call("a");
    model.frame("A");
    assert.equal(model.reply(seq), "A");
    assert.deepEqual([model.renewals, model.exchange.counters.unclaimed, model.messages.length], [0, 0, 101]);
  });

  test("a request that waits for the renewed connection is unsent when it does not come", () => {
    const model = new ExchangeModel(text);
    model.connect();
    model.call("a");
    model.frame("A");
    model.frame("x");
    const seq = model.call("b");
    model.pass(10_000);
    model.fails(seq, "upstream_down", "no", 1_000);
  });

  test("a send needs no trust in the order", () => {
    const model = connected(text);
    model.call("a");
    model.frame("A");
    model.frame("x");
    model.call("s", "send");
    assert.deepEqual([sent(model).at(-1), model.renewals], ["s on 1", 0]);
  });
});

test("no caller gets another's reply, whatever comes too many, if the upstream replies within QUIET_MS", () => {
  const kinds = fc.array(fc.constantFrom("reply", "two", "tick and reply", "reply and tick", "idle tick"), {
    minLength: 1,
    maxLength: 40,
  });
  fc.assert(
    fc.property(kinds, fc.array(fc.nat({ max: QUIET_MS - 2 }), { minLength: 1, maxLength: 20 }), (deeds, delays) => {
      const model = connected(text);
      let drawn = 0;
      const delay = () => delays[drawn++ % delays.length] ?? 0;
      const say = (after: number, frame: string, connection: number) =>
        model.at(model.now + after, () => model.frame(frame, connection));
      model.onTaken = ({ frame, connection }: Taken) => {
        const [body = "", deed] = String(frame).split(": ");
        const at = delay();
        if (deed === "tick and reply") say(Math.max(0, at - 1), "tick", connection);
        say(at, body, connection);
        if (deed === "two") say(at + 1, `${body} again`, connection);
        if (deed === "reply and tick") say(at + 1, "tick", connection);
      };
      for (const [index, deed] of deeds.entries()) {
        if (deed === "idle tick") model.at(model.now + index, () => model.frame("tick"));
        else model.call(`${index}: ${deed}`);
        model.pass(delay());
      }
      model.pass(60_000);
      let seq = 0;
      for (const [index, deed] of deeds.entries()) {
        if (deed === "idle tick") continue;
        const outcome = model.outcome(++seq);
        if (outcome.type === "reply") assert.match(String(outcome.body), new RegExp(`^(${index}( again)?|tick)$`));
      }
    }),
    { numRuns: 500 },
  );
});

describe("with rules", () => {
  const rules = {
    skip: [{ text: "^ack " }],
    final: [{ text: "^end " }],
    reply: { text: "^(ack|part|end) " },
    collect: { frames: 3 },
  };

  test("a reply is all its frames; others are messages, and nothing is renewed", () => {
    const model = connected(textByOrder(rules));
    const first = model.call("a");
    const second = model.call("b");
    for (const frame of ["tick", "ack a", "part a", "tick", "end a", "tick", "end b"]) model.frame(frame);
    assert.deepEqual([model.reply(first), model.reply(second)], ["part a\nend a", "end b"]);
    assert.deepEqual(model.messages, ["tick", "ack a", "tick", "tick"]);
    assert.deepEqual([model.renewals, model.exchange.counters.unclaimed], [0, 0]);
  });

  test("a skipped frame proves that the request arrived", () => {
    const model = connected(textByOrder(rules));
    const seq = model.call("a", "request", 100);
    model.frame("ack a");
    const [taken] = model.taken;
    assert.ok(taken);
    taken.proven = true;
    model.pass(200);
    model.fails(seq, "reply_timeout", "yes");
  });

  test("without `collect`, frames before the final one are messages", () => {
    const model = connected(textByOrder({ final: [{ text: "^end " }] }));
    const seq = model.call("a");
    for (const frame of ["part a", "end a"]) model.frame(frame);
    assert.deepEqual([model.reply(seq), model.messages], ["end a", ["part a"]]);
  });

  test("a frame like a reply that nobody waits for costs the next request a new connection", () => {
    for (const frame of ["end x", "part x"]) {
      const model = connected(textByOrder(rules));
      model.call("a");
      model.frame("end a");
      model.frame(frame);
      model.call("b");
      assert.deepEqual([model.renewals, model.exchange.counters.unclaimed, model.messages], [1, 1, [frame]]);
    }
  });

  test("a reply that is late is awaited to its last frame", () => {
    const model = connected(textByOrder(rules));
    model.call("a", "request", 100);
    const second = model.call("b");
    model.pass(200);
    for (const frame of ["part a", "tick"]) model.frame(frame);
    assert.deepEqual(sent(model), ["a on 1"]);
    model.frame("end a");
    model.frame("end b");
    assert.deepEqual([model.reply(second), model.renewals], ["end b", 0]);
  });

  test("bytes that are not text match no rule", () => {
    const model = connected(textByOrder({ final: [{ text: "^end" }, { text: "^$" }], collect: {} }));
    const seq = model.call("a");
    model.frame(Uint8Array.of(0xff));
    model.frame("end");
    const outcome = model.outcome(seq);
    assert.deepEqual(outcome.type === "reply" && outcome.body, Uint8Array.of(0xff, 101, 110, 100));
  });

  test("every reply is whole and its own, whatever comes in between and however late", () => {
    const frames = fc.array(fc.constantFrom("tick", "ack", "part", "part", "end"), { maxLength: 60 });
    fc.assert(
      fc.property(frames, fc.array(fc.nat({ max: 300 }), { minLength: 60, maxLength: 60 }), (kinds, waits) => {
        const model = connected(textByOrder({ ...rules, collect: { frames: 100 } }));
        const owed: { seq: number; connection: number; parts: string[] }[] = [];
        const whole = new Map<number, string>();
        model.onTaken = ({ seq, connection }) => owed.push({ seq, connection, parts: [] });
        for (const [at, kind] of kinds.entries()) {
          model.call(`${at}`, "request", 1 + (waits[at] ?? 0));
          model.pass((waits[at] ?? 0) % 50);
          const next = owed.find(({ connection }) => connection === model.connection);
          if (kind === "tick" || !next) {
            model.frame("tick");
            continue;
          }
          const frame = `${kind} ${next.seq}`;
          if (kind !== "ack") next.parts.push(frame);
          else for (const taken of model.taken) if (taken.seq === next.seq) taken.proven = true;
          if (kind === "part") for (const taken of model.taken) if (taken.seq === next.seq) taken.proven = true;
          if (kind === "end") {
            owed.splice(owed.indexOf(next), 1);
            whole.set(next.seq, next.parts.join("\n"));
          }
          model.frame(frame);
        }
        model.pass(60_000);
        for (const [seq, outcome] of model.outcomes) {
          if (outcome.type === "reply") assert.equal(outcome.body, whole.get(seq));
        }
        assert.deepEqual(model.open, []);
      }),
      { numRuns: 500 },
    );
  });
});
