/** Tests of answers in every preset: groups of patterns, ids, and what the protocol does with other frames. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { expand } from "../../src/config/environment.ts";
import { check, dotted } from "../../src/config/problems.ts";
import { upstreamSchema } from "../../src/config/upstream-settings.ts";
import { filledAnswer } from "../../src/core/connection/captured-texts.ts";
import { withAnswers } from "../../src/protocols/answers.ts";
import { preparePatterns } from "../../src/protocols/lazy-pattern.ts";
import { presetNames } from "../../src/protocols/presets.ts";
import type { Decoded, Protocol } from "../../src/protocols/protocol.ts";
import { loadProtocol, withConfiguredRules } from "../../src/sidecar/thread/load-protocol.ts";

await preparePatterns({ text: "" });

const parse = (protocol: object) => check(upstreamSchema, { url: "wss://example.org/", protocol, greeting: [] });

/** The protocol of these options, which come through the configuration. */
async function protocolOf(options: object): Promise<Protocol> {
  const parsed = parse(options);
  assert.ok("value" in parsed, JSON.stringify(parsed));
  const settings = parsed.value.protocol;
  return withConfiguredRules(await loadProtocol(settings), settings);
}

/** The frame that answers one of the upstream's, and whether it gets an id of ours. */
function answerTo(protocol: Protocol, frame: string) {
  const decoded: Decoded = protocol.decode(frame);
  return decoded.type === "answer" ? { frame: decoded.frame, adopt: decoded.adopt ?? false } : decoded.type;
}

for (const preset of presetNames) {
  describe(preset, () => {
    test("a frame that a rule answers is nothing else", async () => {
      const when = { any: [{ match: { "/type": "ask" } }, { text: "^ASK" }] };
      const protocol = await protocolOf({
        preset,
        answers: [{ when, send: { type: "told" }, copy: { "/to": "/of" } }],
      });
      for (const ask of ['{"id":1,"type":"ask","of":[1, 2]}', '{"id":"1","type":"ask","of":[1, 2],"error":1}'])
        assert.deepEqual(answerTo(protocol, ask), { frame: '{"to":[1, 2],"type":"told"}', adopt: false });
      assert.deepEqual(answerTo(protocol, "ASK"), { frame: '{"type":"told"}', adopt: false });
      assert.notEqual(protocol.decode('{"id":1,"type":"other"}').type, "answer");
    });

    test("groups of a pattern fill a text", async () => {
      const protocol = await protocolOf({ preset, answers: [{ when: "^PING (?<token>.*)", send: "PONG $token" }] });
      assert.deepEqual(answerTo(protocol, "PING :a $token b"), { frame: "PONG :a $token b", adopt: false });
      assert.notEqual(protocol.decode("PINGING").type, "answer");
    });
  });
}

test("groups fill the texts of a mapping, and it stays JSON whatever they hold", async () => {
  const rule = { when: "(?s)^ask (?<what>.*)$", send: { said: "you said $what", raw: "$what" } };
  const protocol = await protocolOf({ preset: "json", answers: [rule] });
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 20 }), (what) => {
      const answer = answerTo(protocol, `ask ${what}`);
      assert.ok(typeof answer === "object", answer as string);
      assert.deepEqual(JSON.parse(String(answer.frame)), { said: `you said ${what}`, raw: what });
    }),
    { numRuns: 30 },
  );
});

test("a group that took no part in the match is empty", async () => {
  const protocol = await protocolOf({ preset: "text", answers: [{ when: "^PING(?: (?<a>.+))?$", send: "PONG[$a]" }] });
  assert.deepEqual(answerTo(protocol, "PING"), { frame: "PONG[]", adopt: false });
});

test("a value that may go on beyond the text that a pattern sees is never sent in part", async () => {
  const protocol = await protocolOf({ preset: "text", answers: [{ when: "^PING (?<token>.*)", send: "PONG $token" }] });
  const token = (length: number) => answerTo(protocol, `PING ${"x".repeat(length)}`);
  assert.deepEqual(token(1_019), { frame: `PONG ${"x".repeat(1_019)}`, adopt: false });
  assert.equal(token(1_020), "reply");
});

test("the first rule that applies answers", async () => {
  const answers = [
    { when: "^a(?<rest>.*)", send: "1$rest" },
    { when: { text: "^ab" }, send: "2" },
    { when: "^b", send: "3" },
  ];
  const protocol = await protocolOf({ preset: "text", answers });
  assert.deepEqual(
    ["ab", "b", "c"].map((frame) => answerTo(protocol, frame)),
    [{ frame: "1b", adopt: false }, { frame: "3", adopt: false }, "reply"],
  );
});

test("an id in an answer is replaced by ours unless it comes from the request, in every protocol with ids", async () => {
  const tagged = { preset: "text", id: { out: "#$id $message", in: "^#(?<id>[0-9]+) " } };
  const found = { preset: "text", id: { out: "^#(?<id>[^ ]+) ", in: "^#(?<id>[0-9]+) " } };
  const when = "^#(?<id>[0-9]+) ASK (?<n>.*)";
  const rules: readonly (readonly [adopts: boolean, protocol: object, rule: object, frame: string])[] = [
    [true, { preset: "json-rpc" }, { when: { has: ["/ask"] }, send: { id: 1, method: "tell" } }, '{"ask":1}'],
    [false, { preset: "json-rpc" }, { when: { has: ["/ask"] }, send: { id: 1, result: 1 } }, '{"ask":1}'],
    [
      false,
      { preset: "json-rpc" },
      { when: { match: { "/method": "ask" } }, send: { jsonrpc: "2.0", result: null }, copy: { "/id": "/id" } },
      '{"id":7,"method":"ask"}',
    ],
    [true, { preset: "obs" }, { when: { has: ["/ask"] }, send: { d: { requestId: "$id" } } }, '{"ask":1}'],
    [true, tagged, { when, send: "#5 TELL $n" }, "#1 ASK a"],
    [false, tagged, { when, send: "#$id TELL $n" }, "#1 ASK a"],
    [true, tagged, { when: "^ASK", send: "#$id TELL" }, "ASK"],
    [true, found, { when, send: "#five TELL $n" }, "#1 ASK a"],
    [false, found, { when, send: "#$id TELL $n" }, "#1 ASK a"],
    [false, found, { when, send: "TELL $n" }, "#1 ASK a"],
  ];
  for (const [adopts, options, rule, frame] of rules) {
    const answer = answerTo(await protocolOf({ ...options, answers: [rule] }), frame);
    assert.ok(typeof answer === "object", JSON.stringify([rule, answer]));
    assert.equal(answer.adopt, adopts, JSON.stringify(rule));
  }
});

test("what a placeholder brings into an answer is never read for groups, and what the upstream brings for no placeholder", async () => {
  const pieces = fc.array(fc.constantFrom("$", "{", "}", "${", "conn:b}", "file:/b}", "$a", "a", '"', "x"), {
    maxLength: 6,
  });
  const texts = pieces.map((all) => all.join(""));
  const plain = await loadProtocol("text");
  const send = "$a${V}$a${file:/f}${conn:c}$a";
  const parts = ({ env, file, conn, group }: Readonly<Record<string, string>>) => [
    group,
    env,
    group,
    file,
    conn,
    group,
  ];
  await fc.assert(
    fc.asyncProperty(fc.record({ env: texts, file: texts, conn: texts, group: texts }), async (values) => {
      if (values.env === "") return;
      const expanded = expand(send, { V: values.env }, true);
      assert.deepEqual(expanded.problems, []);
      const conn = new Map([["c", JSON.stringify(values.conn)]]);
      for (const form of ["text", "json"] as const) {
        const given = form === "text" ? expanded.text : { in: expanded.text };
        const protocol = withAnswers(plain, [{ when: { text: "(?s)^P(?<a>.*)" }, send: given }]);
        const answer = protocol.decode(`P${values.group}`);
        assert.ok(answer.type === "answer" && answer.fill === form && typeof answer.frame === "string");
        const sent = filledAnswer(answer.frame, form, conn, () => values.file);
        const expected = parts(values).join("");
        assert.equal(sent, form === "text" ? expected : JSON.stringify({ in: expected }));
      }
    }),
    { numRuns: 200, examples: [[{ env: "$a$", file: "$a", conn: "$a$", group: "$" }]] },
  );
});

test("a variable's value in an answer is neither a group that is missing nor an id that is not the upstream's", async () => {
  const { text: secret } = expand("${V}", { V: "pa$$word" }, true);
  const { text: id } = expand("${V}", { V: "7" }, true);
  const rule = { when: "(?<all>.*ask.*)", send: { "/key": secret } };
  const problems = parse({ preset: "json", answers: [rule] });
  assert.ok("value" in problems, JSON.stringify(problems));
  const demanded = { when: { match: { "/id": "7" } }, send: { id, ok: 1 } };
  const protocol = await protocolOf({ preset: "json", answers: [demanded] });
  assert.deepEqual(answerTo(protocol, '{"id":"7"}'), { frame: JSON.stringify({ id, ok: 1 }), adopt: false });
});

test("a name in an answer that is no group of its pattern is refused", () => {
  const problems = (rule: object, preset = "text") => {
    const checked = parse({ preset, answers: [rule] });
    return "problems" in checked ? checked.problems.map(({ path, what }) => `${dotted(path)}: ${what}`) : [];
  };
  assert.deepEqual(problems({ when: "^P (?<token>.*)", send: "PONG $tokn" }), [
    "protocol.answers.0.send: has $tokn, and the pattern has no group (?<tokn>…)",
  ]);
  assert.deepEqual(problems({ when: "^P (?<a>.)", send: { a: ["$a", { b: "$b" }] } }, "json"), [
    "protocol.answers.0.send: has $b, and the pattern has no group (?<b>…)",
  ]);
  assert.match(problems({ when: "^P (?<a", send: "$a" }).join(), /^protocol\.answers\.0\.when: must be an RE2 pattern/);
  assert.match(problems({ when: {}, send: "a" }).join(), /^protocol\.answers\.0\.when: must say what to look at/);
  assert.match(problems({ when: { txt: "a" }, send: "a" }).join(), /^protocol\.answers\.0\.when\.txt: is not a known/);
  assert.match(
    problems({ when: 1, send: "a" }).join(),
    /^protocol\.answers\.0\.when: must be a condition, or a pattern/,
  );
  // Without groups, and for the id of ours, a name means itself.
  assert.deepEqual(problems({ when: "^P", send: "costs $usd" }), []);
  assert.deepEqual(problems({ when: "^P (?<a>.)", send: "#$id $a" }), []);
});
