/** The messages between members: they come back as they were, and no bytes do more than be refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  decodeAnswer,
  decodeBeat,
  decodeOwner,
  decodeRequest,
  encodeAnswer,
  encodeBeat,
  encodeOwner,
  encodeRequest,
  MalformedMessage,
  type MemberAnswer,
  type MemberRequest,
} from "../../src/cluster/member-messages.ts";
import type { Beat, OwnerValue } from "../../src/core/cluster/ownership-messages.ts";
import { type Failed, isStream, type Outcome, type Replied } from "../../src/core/outcome.ts";

// Text on a socket is UTF-8, which has no lone surrogates.
const text = fc.string({ unit: "binary" });
const count = fc.nat();
const body = fc.oneof(text, fc.uint8Array());

const key = fc.record({ id: fc.stringMatching(/^[\w-]{1,128}$/), digest: text });
const request: fc.Arbitrary<MemberRequest> = fc
  .record({
    from: text,
    kind: fc.constantFrom("request", "rpc", "send", "confirm", "stream", "bytes"),
    body,
    leftMs: fc.double({ noNaN: true, noDefaultInfinity: true }).map((ms) => (ms === 0 ? 0 : ms)),
    unanswered: fc.boolean(),
    over: fc.option(count, { nil: undefined }),
    key: fc.option(key, { nil: undefined }),
  })
  .map((each) => (isStream(each.kind) ? { ...each, key: undefined } : each));

const failed: fc.Arbitrary<Failed> = fc.record(
  {
    type: fc.constant("failed" as const),
    failure: fc.record(
      {
        code: fc.constantFrom("reply_timeout", "connection_lost"),
        sent: fc.constantFrom("no", "maybe", "yes"),
        detail: text,
        retryAfterMs: count,
        cause: text,
        heard: fc.record({ frames: count, last: text, why: text }, { requiredKeys: ["frames", "last"] }),
        final: fc.constant(true),
      },
      { requiredKeys: ["code", "sent", "detail"] },
    ),
    own: text,
    invalid: fc.constantFrom("parse", "shape"),
    upstreamError: text,
  },
  { requiredKeys: ["type", "failure"] },
);

const replied: fc.Arbitrary<Replied> = fc.record(
  {
    type: fc.constant("reply" as const),
    body,
    queueMs: count,
    upstreamMs: count,
    isText: fc.constant(true),
    isCut: fc.constant(true),
  },
  { requiredKeys: ["type", "body", "queueMs", "upstreamMs"] },
);

const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  failed,
  replied,
  fc.record({ type: fc.constant("done" as const), connection: count }, { requiredKeys: ["type"] }),
  fc.record({ type: fc.constant("batch" as const), items: fc.array(fc.oneof(failed, replied)), done: count }),
);

const answer: fc.Arbitrary<MemberAnswer> = fc.oneof(
  fc.constantFrom<MemberAnswer>({ type: "not_owner" }, { type: "begun" }),
  fc.record({ type: fc.constant("part" as const), body }),
  fc.record(
    { type: fc.constant("settled" as const), outcome, isReplayed: fc.constant(true) },
    { requiredKeys: ["type", "outcome"] },
  ),
);

const term = { upstream: text, term: count, address: text };
const beat: fc.Arbitrary<Beat> = fc.record({
  member: text,
  at: fc.record({ ms: count, wallMs: count }),
  owned: fc.array(fc.record({ ...term, phase: text })),
  released: fc.array(fc.record(term)),
});

const owner: fc.Arbitrary<OwnerValue> = fc.oneof(fc.record({ member: text, address: text }), fc.record({ from: text }));

function holdFor<Message>(
  name: string,
  arbitrary: fc.Arbitrary<Message>,
  encode: (message: Message) => Uint8Array,
  decode: (bytes: Uint8Array) => Message,
): void {
  test(`${name} is the same behind the wire`, () => {
    fc.assert(fc.property(arbitrary, (message) => assert.deepEqual(plain(decode(encode(message))), plain(message))));
  });

  test(`bytes that are not ${name} are refused, and do no more`, () => {
    const refused = (bytes: Uint8Array) => {
      try {
        decode(bytes);
      } catch (error) {
        assert.ok(error instanceof MalformedMessage, String(error));
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), refused));
    const broken = (message: Message, at: number, byte: number, isCut: boolean) => {
      const bytes = encode(message);
      const place = at % bytes.length;
      bytes[place] = byte;
      refused(isCut ? bytes.subarray(0, place) : bytes);
    };
    fc.assert(fc.property(arbitrary, fc.nat(), fc.nat({ max: 255 }), fc.boolean(), broken));
  });
}

holdFor("a request", request, encodeRequest, decodeRequest);
holdFor("an answer", answer, encodeAnswer, decodeAnswer);
holdFor("a beat", beat, encodeBeat, decodeBeat);
holdFor("the record of an owner", owner, encodeOwner, decodeOwner);

test("a message of another version is refused by its number", () => {
  const bytes = encodeAnswer({ type: "begun" });
  bytes[0] = 7;
  assert.throws(() => decodeAnswer(bytes), /version 7, where 1 is spoken/);
});

test("a key of a stream, or one that cannot be a name in the store, is refused", () => {
  const rest = { from: "a", body: "{}", leftMs: 1, unanswered: false, over: undefined };
  const encoded = (kind: "rpc" | "stream", id: string) => encodeRequest({ ...rest, kind, key: { id, digest: "d" } });
  assert.equal(decodeRequest(encoded("rpc", "k")).key?.id, "k");
  for (const [kind, id] of [
    ["stream", "k"],
    ["rpc", "a.b"],
    ["rpc", ">"],
    ["rpc", ""],
  ] as const)
    assert.throws(() => decodeRequest(encoded(kind, id)), MalformedMessage);
});

test("a message of one kind is not taken for one of another", () => {
  const none = { over: undefined, key: undefined };
  const message = encodeRequest({ from: "a", kind: "rpc", body: "{}", leftMs: 1, unanswered: false, ...none });
  assert.throws(() => decodeAnswer(message), MalformedMessage);
  assert.throws(() => decodeBeat(message), MalformedMessage);
  assert.throws(() => decodeRequest(encodeAnswer({ type: "part", body: "x" })), MalformedMessage);
});

/** Without members that are undefined: they are not on the wire. Bytes stay bytes. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return ["bytes", ...value];
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(members.map(([key, each]) => [key, plain(each)]));
}
