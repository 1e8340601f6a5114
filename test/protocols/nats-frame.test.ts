/** Tests of the frames of NATS: what is written is read again, and nothing else passes for an operation. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatenated } from "../../src/protocols/bytes.ts";
import { type NatsOperation, readOperations, writePublication } from "../../src/protocols/nats-frame.ts";

const words = fc.stringMatching(/^[a-zü$_.]{1,20}$/);
const values = fc.stringMatching(/^[!-~]([ -~ü]{0,10}[!-~])?$/);
const publications = fc.record({
  subject: words,
  reply: fc.option(words, { nil: undefined }),
  headers: fc.dictionary(fc.stringMatching(/^[A-Za-z-]{1,9}$/), fc.array(values, { minLength: 1, maxLength: 3 })),
  payload: fc.uint8Array({ maxLength: 600 }),
});

/** The message that the server makes of a publication, for the subscription 7. */
function delivered(bytes: Uint8Array): Uint8Array {
  const at = bytes.indexOf(10);
  const line = Buffer.from(bytes.subarray(0, at)).toString();
  return concatenated([line.replace(/^(H?)PUB (\S+)/, "$1MSG $2 7"), bytes.subarray(at)]);
}

const messagesOf = (frame: Uint8Array | string) => {
  const read = readOperations(frame);
  assert.ok(!("why" in read), JSON.stringify(read));
  return read.flatMap((each) => (each.type === "message" ? [each.message] : []));
};

test("messages that are written one after the other are read as they were, whatever their bytes", () => {
  fc.assert(
    fc.property(fc.array(publications), fc.constantFrom("", "PING\r\n", "+OK\r\n"), (all, between) => {
      const made = all.map(({ headers, ...each }) => ({ ...each, headers: new Map(Object.entries(headers)) }));
      const frame = concatenated(made.flatMap((each) => [delivered(writePublication(each)), between]));
      const read = messagesOf(frame).map(({ payload, ...each }) => ({ ...each, payload: [...payload] }));
      const none = { status: undefined, description: undefined };
      const expected = made.map(({ payload, ...each }) => ({ ...each, sid: "7", ...none, payload: [...payload] }));
      assert.deepEqual(read, expected);
    }),
  );
});

test("lengths count bytes", () => {
  const publication = { subject: "a", headers: new Map(), payload: new TextEncoder().encode("ü") };
  assert.equal(Buffer.from(writePublication(publication)).toString(), "PUB a 2\r\nü\r\n");
  const written = writePublication({ ...publication, reply: "b", headers: new Map([["ö", ["1", "2"]]]) });
  assert.equal(Buffer.from(written).toString(), "HPUB a b 26 28\r\nNATS/1.0\r\nö: 1\r\nö: 2\r\n\r\nü\r\n");
});

test("a status of the server is read, with its words and without", () => {
  const [first, second] = messagesOf(
    "HMSG a 0 16 16\r\nNATS/1.0 503\r\n\r\n\r\nHMSG a 0 28 28\r\nNATS/1.0 404 No Messages\r\n\r\n\r\n",
  );
  assert.deepEqual([first?.status, first?.description], [503, undefined]);
  assert.deepEqual([second?.status, second?.description], [404, "No Messages"]);
});

test("the other operations are read, in any case of their letters", () => {
  const read = readOperations("INFO {\"a\":1} \r\n+OK\r\nping\r\nPONG\r\n-ERR 'Unknown Protocol Operation'\r\n");
  const expected: readonly NatsOperation[] = [
    { type: "info", text: '{"a":1}' },
    { type: "ok" },
    { type: "ping" },
    { type: "pong" },
    { type: "error", text: "Unknown Protocol Operation" },
  ];
  assert.deepEqual(read, expected);
});

test("a frame that is none has a reason, and one that ends within an operation names the cure", () => {
  for (const frame of ["PING", "MSG a 1 5\r\nab\r\n", "MSG a 1 2\r\nab", "HMSG a 1 12 14\r\nNATS/1.0\r\n"]) {
    const read = readOperations(frame);
    assert.ok("why" in read && /user-agent/.test(read.why), frame);
  }
  for (const frame of [
    "\r\n",
    "hello\r\n",
    "MSG a 5\r\nabcde\r\n",
    "MSG a 1 b c 2\r\nab\r\n",
    "MSG a 1 -2\r\nab\r\n",
    "MSG a 1 1\r\nabcPING\r\n",
    "HMSG a 1 12 10\r\nNATS/1.0\r\n\r\n",
    "HMSG a 1 2 2\r\nab\r\n",
    "HMSG a 1 15 15\r\nNATS/1.0\r\nab\r\n\r\n\r\n",
  ]) {
    const read = readOperations(frame);
    assert.ok("why" in read && !/user-agent/.test(read.why), `${frame} ${JSON.stringify(read)}`);
  }
});

test("any bytes are taken without an exception, and many operations cost no more than their bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void readOperations(bytes)));
  const began = performance.now();
  assert.equal(messagesOf("MSG a 1 2\r\nab\r\n".repeat(100_000)).length, 100_000);
  // Work that grows with the square takes minutes.
  assert.ok(performance.now() - began < 5_000);
});
