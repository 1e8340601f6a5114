/** Tests of the `text` protocol with ids. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { preparePatterns } from "../../src/protocols/lazy-pattern.ts";
import { Pattern } from "../../src/protocols/pattern.ts";
import { type Body, type Decoded, InvalidMessage, type Protocol } from "../../src/protocols/protocol.ts";
import type { TextIds, TextOptions } from "../../src/protocols/text.ts";
import { textIds } from "../../src/protocols/text-ids.ts";
import { codePoint } from "./code-point.ts";

await preparePatterns({ text: "" });

const tagged: TextIds = { out: "#$id $message", in: "^(?<cut>#(?<id>[0-9]+) )" };
const replacing: TextIds = { out: "^#(?<id>\\w+) ", in: "^#(?<id>\\w+) " };

const speaking = (id: TextIds, rules: TextOptions = {}): Protocol => textIds({ ...rules, id });
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function reply(protocol: Protocol, frame: Body): Decoded & { type: "reply" } {
  const decoded = protocol.decode(frame);
  assert.ok(decoded.type === "reply", JSON.stringify(decoded));
  return decoded;
}

describe("with a template", () => {
  const protocol = speaking(tagged);

  test("an id is written into the template, and the reply comes without the group cut", () => {
    const { frame, own, expectsReply } = protocol.encode("get /lamp", 7, "request");
    assert.deepEqual([frame, own, expectsReply], ["#7 get /lamp", undefined, true]);
    const { id, render } = reply(protocol, "#7 on\n#8 off");
    assert.deepEqual([id, render(own)], [7, "on\n#8 off"]);
  });

  test("bytes stay bytes, both ways", () => {
    assert.deepEqual(protocol.encode(bytes("größe"), 7, "request").frame, bytes("#7 größe"));
    assert.deepEqual(reply(protocol, bytes("#7 größe")).render(undefined), bytes("größe"));
  });

  test("any message is sent unchanged, placeholders in it too, and any reply comes back unchanged", () => {
    const message = fc.oneof(
      fc.string({ unit: codePoint, minLength: 1 }),
      fc.constantFrom("$id", "$message", "$&", "$1 $$", "#9 x"),
    );
    const id = fc.nat(Number.MAX_SAFE_INTEGER);
    fc.assert(
      fc.property(message, id, (text, wire) => {
        const { frame, own } = protocol.encode(text, wire, "request");
        assert.equal(frame, `#${wire} ${text}`);
        const answer = reply(protocol, frame);
        assert.deepEqual([answer.id, answer.render(own)], [wire, text]);
      }),
      { numRuns: 500 },
    );
  });
});

describe("with a pattern for the caller's own id", () => {
  const protocol = speaking(replacing);

  test("an id comes back exactly as written, and all else unchanged", () => {
    const word = fc.stringMatching(/^\w{1,20}$/);
    const rest = fc.string({ unit: codePoint });
    fc.assert(
      fc.property(word, fc.nat(), rest, rest, (own, wire, asked, answered) => {
        const encoded = protocol.encode(`#${own} ${asked}`, wire, "request");
        assert.deepEqual([encoded.frame, encoded.own], [`#${wire} ${asked}`, own]);
        const { id, render } = reply(protocol, `#${wire} ${answered}`);
        assert.deepEqual([id, render(encoded.own)], [wire, `#${own} ${answered}`]);
      }),
      { numRuns: 500 },
    );
  });

  test("a message without an id can be sent, but not requested", () => {
    const why = { kind: "shape", message: "the message has no id: the pattern `id.out` of this protocol finds none" };
    assert.throws(() => protocol.encode("get", 7, "request"), why);
    const { frame, expectsReply } = protocol.encode("hello", 7, "rpc");
    assert.deepEqual([frame, expectsReply], ["hello", false]);
    const empty = speaking({ ...replacing, out: "^#(?<id>\\w*)" });
    assert.throws(() => empty.encode("# get", 7, "request"), why);
  });

  test("a kept id travels unchanged both ways, whatever its form", () => {
    const kept = speaking({ ...replacing, kind: "keep" });
    assert.equal(kept.ids, "callers");
    const { frame, id, own } = kept.encode("#007 get", 7, "request");
    assert.deepEqual([frame, id, own], ["#007 get", "007", "007"]);
    const answer = reply(kept, "#007 on");
    assert.deepEqual([answer.id, answer.render(own)], ["007", "#007 on"]);
  });
});

test("a message that is empty or not UTF-8 is refused; such a frame is noise", () => {
  for (const protocol of [speaking(tagged), speaking(replacing)]) {
    for (const empty of ["", new Uint8Array()]) {
      assert.throws(() => protocol.encode(empty, 7, "request"), { kind: "shape", message: "the body is empty" });
    }
    assert.throws(() => protocol.encode(new Uint8Array([255]), 7, "rpc"), { message: "the bytes are not UTF-8" });
    assert.deepEqual(protocol.decode(new Uint8Array([255])), { type: "noise", why: "the bytes are not UTF-8" });
  }
});

const ids: readonly (readonly [written: string, kind: TextIds["kind"], id: number | undefined])[] = [
  ["7", "int", 7],
  ["0", "int", 0],
  ["9007199254740991", "increasing", 9007199254740991],
  ["9007199254740992", "int", undefined],
  ["2147483647", "int32", 2147483647],
  ["2147483648", "int32", undefined],
  ["07", "int", undefined],
  ["-7", "int", undefined],
  ["7.0", "int", undefined],
  ["7e0", "int", undefined],
  ["0x7", "int", undefined],
  ["x", "int", undefined],
];
for (const [written, kind, id] of ids) {
  test(`${written} for ${kind} is ${id === undefined ? "not ours: a message" : "ours"}`, () => {
    const decoded = speaking({ ...tagged, in: "^#(?<id>\\S*)", kind }).decode(`#${written} on`);
    assert.deepEqual(
      "id" in decoded ? [decoded.type, decoded.id] : [decoded.type],
      id === undefined ? ["message"] : ["reply", id],
    );
  });
}

const rules: TextOptions = {
  skip: [{ text: "^#\\d+ ACK$" }],
  final: [{ text: "^#\\d+ (?:OK|NO)\\b" }, { text: "^#\\d+ BYE" }],
  errors: { when: { text: "^ERR " }, do: "fail_all" },
};
const said: readonly (readonly [frame: string, type: Decoded["type"]])[] = [
  ["#7 ACK", "progress"],
  ["#7 ROW 1", "progress"],
  ["#7 OK", "reply"],
  ["#7 BYE", "reply"],
  ["ERR what?", "error"],
  ["#x OK", "message"],
  ["# OK", "message"],
  ["7 OK", "message"],
  ["", "message"],
];
for (const [frame, type] of said) {
  test(`with every option, ${JSON.stringify(frame)} is: ${type}`, () => {
    assert.equal(speaking(tagged, rules).decode(frame).type, type);
  });
}

test("an error fails the requests that the settings name, and is a message without them", () => {
  for (const [deed, fails] of [
    ["fail_all", "all"],
    ["fail_oldest", "oldest"],
    ["message", undefined],
  ] as const) {
    const decoded = speaking(tagged, { errors: { when: { text: "^ERR" }, do: deed } }).decode("ERR");
    assert.deepEqual(decoded, fails ? { type: "error", fails } : { type: "message" });
  }
});

test("a group that takes no part in the match is no id", () => {
  assert.equal(speaking({ ...tagged, in: "^(?:#(?<id>\\d+)|!)" }).decode("! #7").type, "message");
});

test("a pattern sees the first 1024 characters; the rest passes unchanged", () => {
  const protocol = speaking({ out: "$message #$id", in: "#(?<id>\\d+)$" });
  assert.equal(protocol.decode(`${"x".repeat(1_022)}#7`).type, "reply");
  assert.equal(protocol.decode(`${"x".repeat(1_024)}#7`).type, "message");
  const long = "y".repeat(1_000_000);
  assert.equal(reply(speaking(tagged), `#7 ${long}`).render(undefined), long);
});

test("a reply to a caller without an id has all but the id, and with the group cut all but that", () => {
  const table: readonly (readonly [pattern: string, frame: string, reply: string])[] = [
    ["^(?:OK|ERR) (?<id>\\d+)", "OK 7 on", "OK  on"],
    ["^(?:OK|ERR)(?<cut> (?<id>\\d+))", "OK 7 on", "OK on"],
    ["(?<cut> \\[(?<id>\\d+)\\])$", "on [7]", "on"],
    // A group that is beside the id, or has no part in the match, takes nothing out.
    ["^(?<cut>OK) (?<id>\\d+)", "OK 7 on", "OK  on"],
    ["^(?:(?<cut>#)x)?(?<id>\\d+)", "7 on", " on"],
  ];
  for (const [pattern, frame, wanted] of table) {
    const protocol = speaking({ out: "$message $id", in: pattern });
    assert.equal(reply(protocol, frame).render(undefined), wanted, pattern);
    assert.equal(reply(protocol, frame).render("x"), frame.replace("7", "x"), pattern);
  }
});

test("an id that may continue beyond what a pattern sees is no id", () => {
  const protocol = speaking({ out: "#(?<id>\\d+)", in: "#(?<id>\\d+)" });
  const before = "x".repeat(1_024 - "#12".length);
  assert.equal(protocol.decode(`${before}#12345 done`).type, "message");
  assert.throws(() => protocol.encode(`${before}#12345 do`, 7, "request"), InvalidMessage);
  assert.equal(protocol.decode(`${before}#12`).type, "reply");
  assert.equal(protocol.decode(`${before.slice(1)}#12 done`).type, "reply");
});

test("a pattern that would make JavaScript backtrack forever is fast", () => {
  for (const hard of ["^(?<id>(?:a+)+)$", "^(?<id>(?:a|aa)*)!$", "(?:.*a){20}(?<id>b)"]) {
    assert.equal(speaking({ ...tagged, in: hard }).decode(`${"a".repeat(2_000)}!`).type, "message");
  }
});

test("no frame makes decode throw, and no message makes encode throw anything but InvalidMessage", () => {
  const body = fc.oneof(fc.string({ unit: codePoint }), fc.uint8Array());
  const all = [tagged, replacing, { ...replacing, kind: "keep" } as const].map((id) => speaking(id, rules));
  fc.assert(
    fc.property(fc.constantFrom(...all), body, (protocol, given) => {
      protocol.decode(given);
      try {
        protocol.encode(given, 7, "request");
      } catch (error) {
        assert.ok(error instanceof InvalidMessage);
      }
    }),
    { numRuns: 1000 },
  );
});

test("a pattern finds the same match as JavaScript's", () => {
  const unit = fc.constantFrom("#", "1", "2", "a", " ", "\n", "é", "😀", "\ud83d");
  const texts = fc.string({ unit, maxLength: 12 });
  const patterns = [
    "#(?<id>\\d+)",
    "^[^#]*#(?<id>\\d)",
    "(?<id>a+?)(?: |$)",
    "(?<id>1|12|a)2*",
    "[é😀]+(?<id>.)",
    "#(?<id>\\d)?",
    "(?<cut>#+(?<id>\\d) ?)",
  ];
  fc.assert(
    fc.property(fc.constantFrom(...patterns), texts, (pattern, text) => {
      const found = new Pattern(pattern).find(text, "id", "cut");
      const wanted = new RegExp(pattern, "du").exec(text)?.indices;
      const [whole, part, around = part] = [wanted?.[0], wanted?.groups?.id, wanted?.groups?.cut];
      assert.deepEqual(
        found && [found.part, found.around],
        part && around && [part, around].map(([start, end]) => ({ start, end })),
      );
      assert.equal(new Pattern(pattern).test(text), whole !== undefined);
    }),
    { numRuns: 1000 },
  );
});

const faults: readonly (readonly [pattern: string, what: RegExp])[] = [
  ["^#(?<id>\\d+", /^must be an RE2 pattern: missing closing \)$/],
  ["[z-a](?<id>x)", /invalid character class range$/],
  ["(?=x)(?<id>x)", /invalid or unsupported Perl syntax$/],
  ["(?<id>x)\\1", /invalid escape sequence$/],
  ["(?<id>a)(?<id>b)", /duplicate capture group name$/],
  ["(?<id>x{2000})", /invalid repeat count$/],
  ["(?<id>x{300})", /^is too large a pattern: \d+ steps \(at most 256\)$/],
  ["^#(\\d+)", /^must have a group \(\?<id>…\) around the id$/],
  ["^#(?<toString>\\d+)", /^must have a group/],
];
for (const [pattern, what] of faults) {
  test(`${pattern} is refused, with the reason and without being quoted`, () => {
    assert.throws(() => speaking({ ...tagged, in: pattern }), { message: what });
    assert.throws(() => speaking({ ...replacing, out: pattern }), { message: what });
  });
}
