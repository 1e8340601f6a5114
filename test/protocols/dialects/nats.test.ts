/** Tests of the dialect of NATS: what callers may send, and which request each operation of the server concerns. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { matchesFrame } from "../../../src/protocols/condition.ts";
import { preparePatterns } from "../../../src/protocols/lazy-pattern.ts";
import { preset } from "../../../src/protocols/presets.ts";
import type { Protocol, SendRoute } from "../../../src/protocols/protocol.ts";

const INBOX = "_INBOX.seed.1";

/** A connection of the protocol: its number is 1. */
function connect(options: { readonly inbox?: string } = {}) {
  const protocol = preset({ preset: "nats", ...options }, "seed")?.protocol as Protocol;
  protocol.states?.begin(1);
  const receive = (frame: string, connection = 1) => {
    const bytes = new TextEncoder().encode(frame);
    protocol.states?.take(connection, bytes);
    const decoded = protocol.decode(bytes, connection);
    assert.deepEqual(protocol.decode(bytes, connection), decoded);
    return decoded.type === "several" ? decoded.results : [decoded];
  };
  const send = (message: unknown, id = 7, route: SendRoute = "request") => {
    const text = typeof message === "string" ? message : JSON.stringify(message);
    const { frame, ...rest } = protocol.encode(text, id, route, 1);
    return { ...rest, frame: Buffer.from(frame as Uint8Array).toString() };
  };
  /** Each result by its type, with the id and the JSON of those that have one. */
  const shown = (frame: string, own?: unknown) =>
    receive(frame).map((each) => [
      each.type,
      "id" in each ? each.id : undefined,
      "render" in each && each.render ? JSON.parse(String(each.render(own))) : undefined,
    ]);
  return { protocol, receive, send, shown };
}

const delivery = (subject: string, sid: number | string, data: string, reply = "") =>
  `MSG ${subject} ${sid} ${reply}${reply && " "}${data.length}\r\n${data}\r\n`;

test("a request goes out with an inbox that has its id, and what comes there is its reply", () => {
  const { send, shown } = connect();
  const { frame, expectsReply, own } = send({ subject: "a.b", data: "ü", headers: { A: ["1", "2"] } });
  assert.equal(frame, `HPUB a.b ${INBOX}.7 24 26\r\nNATS/1.0\r\nA: 1\r\nA: 2\r\n\r\nü\r\n`);
  assert.equal(expectsReply, true);
  const reply = { subject: "a.b", data: { a: 1 } };
  assert.deepEqual(shown(delivery(`${INBOX}.7`, 0, '{"a":1}'), own), [["reply", 7, reply]]);
  assert.equal(send({ subject: "a", data: [1], reply: "b" }, 8, "send").frame, "PUB a b 3\r\n[1]\r\n");
  assert.equal(
    send('{"subject":"a","data":12345678901234567890}', 8, "send").frame,
    "PUB a 20\r\n12345678901234567890\r\n",
  );
  assert.equal(connect({ inbox: "mine.in" }).send({ subject: "a" }).frame, "PUB a mine.in.seed.1.7 0\r\n\r\n");
});

test("what comes to another inbox, or by another subscription, is no reply", () => {
  const { send, shown } = connect();
  send({ subject: "a" });
  for (const [subject, sid] of [
    ["_INBOX.seed.2.7", 0],
    [`${INBOX}.7`, 9],
    [`${INBOX}.x`, 0],
    ["b", 0],
  ] as const)
    assert.equal(shown(delivery(subject, sid, ""))[0]?.[0], "message", `${subject} ${sid}`);
  assert.deepEqual(shown(delivery("b", 9, "2 ", "c")), [
    ["message", undefined, { subject: "b", sid: 9, reply: "c", data: "2 " }],
  ]);
});

test("to subscribe is a request whose echo is the reply, even if the echo is not allowed", () => {
  const { send, shown } = connect();
  const { frame, own } = send({ subscribe: "a.>", queue: "q" });
  assert.equal(frame, `SUB a.> q 7\r\nPUB ${INBOX}.7 0\r\n\r\n`);
  assert.deepEqual(shown(delivery(`${INBOX}.7`, 0, ""), own), [["reply", 7, { subscribe: "a.>", sid: 7 }]]);
  const violation = `-ERR 'Permissions Violation for Publish to "${INBOX}.8"'\r\n`;
  send({ subscribe: "b" }, 8);
  assert.deepEqual(shown(violation, { subscribe: "b" }), [["reply", 8, { subscribe: "b", sid: 8 }]]);
  const ended = send({ unsubscribe: 7 }, 9);
  assert.equal(ended.frame, `UNSUB 7\r\nPUB ${INBOX}.9 0\r\n\r\n`);
  assert.deepEqual(shown(delivery(`${INBOX}.9`, 0, ""), ended.own), [["reply", 9, { unsubscribe: "7" }]]);
  assert.equal(send({ unsubscribe: 7 }, 0, "send").frame, "UNSUB 7\r\n");
});

test("an error that names no request concerns the oldest that it can, once", () => {
  const { send, shown } = connect();
  send({ subject: "a" }, 1);
  send({ subject: "b" }, 2);
  send({ subscribe: "c.>" }, 3);
  send({ subject: "b" }, 4);
  const error = (text: string) => shown(`-ERR '${text}'\r\n`);
  const violation = 'Permissions Violation for Publish to "b"';
  assert.deepEqual(error(violation), [["reply", 2, { error: violation }]]);
  assert.deepEqual(error(violation), [["reply", 4, { error: violation }]]);
  assert.deepEqual(error(violation), [["message", undefined, { error: violation }]]);
  const subscription = 'Permissions Violation for Subscription to "c.>"';
  assert.deepEqual(error(subscription), [["reply", 3, { error: subscription }]]);
  // Its echo comes nevertheless.
  assert.deepEqual(shown(delivery(`${INBOX}.3`, 0, "")), []);
  assert.deepEqual(error("Stale Connection"), [["message", undefined, { error: "Stale Connection" }]]);
  assert.deepEqual(shown(delivery(`${INBOX}.1`, 0, "")), [["reply", 1, { subject: `${INBOX}.1`, data: "" }]]);
});

test("the next message of a consumer is the reply to the oldest request for it", () => {
  const { send, shown } = connect();
  const next = (consumer: string) => ({ subject: `$JS.API.CONSUMER.MSG.NEXT.S.${consumer}` });
  for (const [id, consumer] of [
    [1, "A"],
    [2, "B"],
    [3, "B"],
  ] as const)
    send(next(consumer), id);
  const acknowledge = "$JS.ACK.S.B.1.1.1.1795880611550917063.0";
  const message = { subject: "jobs.a", reply: acknowledge, data: "x" };
  assert.deepEqual(shown(delivery("jobs.a", 0, "x", acknowledge), next("B")), [["reply", 2, message]]);
  const longer = "$JS.ACK.domain.account.S.B.1.1.1.1795880611550917063.0.token";
  assert.equal(shown(delivery("jobs.a", 0, "x", longer))[0]?.[1], 3);
  assert.equal(shown(delivery("jobs.a", 0, "x", acknowledge))[0]?.[0], "message");
});

test("a status is an error from 400 on, in the words of the server where it has some", () => {
  const { shown } = connect();
  const status = (line: string) =>
    shown(`HMSG ${INBOX}.7 0 ${line.length + 4} ${line.length + 4}\r\n${line}\r\n\r\n\r\n`, { subject: "a" })[0]?.[2];
  const error = "no responders: nothing subscribes to a";
  assert.deepEqual(status("NATS/1.0 503"), { subject: "a", status: 503, error, data: "" });
  assert.deepEqual(status("NATS/1.0 404 No Messages"), { subject: "a", status: 404, error: "No Messages", data: "" });
  assert.deepEqual(status("NATS/1.0 100 Idle"), { subject: "a", status: 100, description: "Idle", data: "" });
});

test("a frame of several operations is taken apart, a ping is answered, and other bytes are noise", () => {
  const { receive, shown } = connect();
  const [answer] = receive("+OK\r\nPING\r\nPONG\r\n");
  assert.ok(answer?.type === "answer");
  assert.equal(Buffer.from(answer.frame as Uint8Array).toString(), "PONG\r\n");
  assert.deepEqual(shown('INFO {"a":1}\r\n'), [["message", undefined, { info: { a: 1 } }]]);
  for (const frame of ["INFO {\r\n", "hello\r\n"]) assert.equal(receive(frame)[0]?.type, "noise");
  assert.deepEqual(receive("INFO null\r\n")[0]?.type, "message");
});

test("a message that the server would end the connection for does not go out", () => {
  const { send, receive } = connect();
  receive('INFO {"max_payload":20}\r\n');
  assert.ok(send({ subject: "a", data: "x".repeat(20) }));
  assert.throws(() => send({ subject: "a", data: "x".repeat(21) }), /has 21 bytes, and the server takes 20/);
  // Headers count.
  assert.throws(() => send({ subject: "a", headers: { A: "1" }, data: "xyz" }), /has 21 bytes/);
});

test("what is no message of the dialect is refused, and nothing of a caller ends a line", () => {
  const { send } = connect();
  for (const wrong of [
    [],
    {},
    { subject: "a", subscribe: "b" },
    { subject: "a", sid: 1 },
    { subscribe: "a", data: 1 },
    ...["", "a b", "a\r\nPING", "a..b", ".a", "a.", "a.*", ">", "a".repeat(901), 1, null].map((subject) => ({
      subject,
    })),
    ...["", "a b", "a..b", "a\n"].map((subscribe) => ({ subscribe })),
    { subscribe: "a", queue: "b c" },
    { subject: "a", reply: "b" },
    { subject: "a", headers: [] },
    { subject: "a", headers: { "A:": "1" } },
    { subject: "a", headers: { A: "1\r\nB: 2" } },
    { subject: "a", headers: { A: 1 } },
    { subject: "a", encoding: "base64", data: "%%%%" },
    { subject: "a", encoding: "hex", data: "00" },
    ...[0, -0, "0", "", "1 2", null].map((unsubscribe) => ({ unsubscribe })),
  ])
    assert.throws(() => send(wrong), { name: "InvalidMessage" }, JSON.stringify(wrong));
  assert.throws(() => send({ subscribe: "a" }, 0, "send"), /use \/request/);
});

test("the greeting logs in, and subscribes to the inbox of its connection", async () => {
  const { greeting } = preset({ preset: "nats", user: "me", password: 'p"' }, "seed") ?? {};
  await preparePatterns(greeting);
  const [, step] = greeting ?? [];
  const { protocol } = connect();
  const lines = Buffer.from(protocol.toWire?.(JSON.stringify(step?.send), 1) as Uint8Array).toString();
  const [, login = "", ...others] = /^CONNECT (.*)\r\nSUB (\S+) (\S+)\r\nPING\r\n$/.exec(lines) ?? [];
  assert.deepEqual(others, [`${INBOX}.*`, "0"]);
  const next = Buffer.from(protocol.toWire?.(JSON.stringify(step?.send), 2) as Uint8Array).toString();
  assert.ok(next.includes("SUB _INBOX.seed.2.* 0"));
  const { user, pass, headers, no_responders } = JSON.parse(login);
  assert.deepEqual([user, pass, headers, no_responders], ["me", 'p"', true, true]);
  assert.equal(protocol.toWire?.("PING\r\n", 1), "PING\r\n");
  const { expect } = step ?? {};
  assert.ok(expect && matchesFrame("PONG\r\n", expect) && !matchesFrame('INFO {"a":1}\r\n', expect));
  assert.ok(expect.reject && matchesFrame("-ERR 'Authorization Violation'\r\n", expect.reject));
});
