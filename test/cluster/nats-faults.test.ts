/** The engine over NATS while its servers fail: killed, stopped, emptied, or not there yet. */
import assert from "node:assert/strict";
import { natsEngine } from "../../src/cluster/nats.ts";
import { freePort } from "../support/free-port.ts";
import { JetStream, lacksNats } from "../support/jetstream.ts";
import { sideBySide } from "../support/side-by-side.ts";
import { bounded, until } from "../support/until.ts";
import { ask, bytes, connected, listens, settingsOf, text } from "./engine-expectations.ts";

const skip = { skip: lacksNats };
const LIMITS = { bytes: 1024 * 1024 };
const test = sideBySide("the engine over NATS, while servers fail");

test("a server that is stopped is left within three seconds, and taken back", skip, async (t) => {
  const server = await JetStream.start({ t });
  const one = await connected(natsEngine(settingsOf([server.url], "one")), t);
  await server.pause();
  const from = performance.now();
  const claim = one.engine.claim({ bucket: "owner", key: "u", value: bytes("1"), after: 0 }, 60_000);
  await assert.rejects(bounded(claim), { mayBeDone: true });
  const ms = performance.now() - from;
  assert.ok(ms < 4_000, `it took ${ms} ms`);
  assert.deepEqual(one.contacts, [true, false]);
  server.resume();
  await until(() => one.contacts.length === 3, { what: "the return" });
  // The claim was on its way: it was done, or not.
  const found = await one.engine.look("owner", "u", 1_000);
  assert.ok(found === undefined || text(found.value) === "1");
});

test("a call that gets no answer fails in its time, and nobody knows what was done", skip, async (t) => {
  const server = await JetStream.start({ t });
  const one = await connected(natsEngine(settingsOf([server.url], "one")), t);
  await one.engine.openLog("log", LIMITS, 1_000);
  await server.pause();
  const from = performance.now();
  await assert.rejects(one.engine.append("log", "1", bytes("entry"), 200), { mayBeDone: true });
  const ms = performance.now() - from;
  assert.ok(ms >= 190 && ms < 1_000, `it took ${ms} ms`);
  await assert.rejects(one.engine.look("owner", "u", 0), { mayBeDone: false });
});

test("large messages to a server that is stopped do not keep it from being left", skip, async (t) => {
  const server = await JetStream.start({ t });
  const one = await connected(natsEngine(settingsOf([server.url], "one")), t);
  await server.pause();
  const asks = [1, 2, 3, 4].map(() => ask(one.engine, "a", new Uint8Array(4 * 1024 * 1024)));
  await until(() => one.contacts.length === 2, { within: 4_000, what: "the loss" });
  for (const asked of asks) asked.end();
});

test("a server that has lost its disk is given its buckets again, and its log has another life", skip, async (t) => {
  const server = await JetStream.start({ t });
  const one = await connected(natsEngine(settingsOf([server.url], "one")), t);
  const before = await one.engine.openLog("log", LIMITS, 1_000);
  await one.engine.append("log", "1", bytes("entry"), 1_000);
  const claim = (after: number) => one.engine.claim({ bucket: "owner", key: "u", value: bytes("1"), after }, 1_000);
  assert.equal(await claim(0), 1);
  await server.lose();
  await until(() => one.contacts.length === 2, { what: "the loss" });
  await server.start();
  await until(() => one.contacts.length === 3, { what: "the return" });
  assert.equal(await one.engine.look("owner", "u", 1_000).catch(() => undefined), undefined);
  assert.equal(await claim(0), 1);
  const after = await one.engine.openLog("log", LIMITS, 1_000);
  assert.deepEqual([after.first, after.last], [1, 0]);
  assert.notEqual(after.life, before.life);
});

test("a server that comes later is waited for, and said to be missing", skip, async (t) => {
  const port = await freePort();
  const faults: Error[] = [];
  const engine = natsEngine(settingsOf([`nats://127.0.0.1:${port}`], "one"));
  t.after(() => engine.end(0));
  const contact = engine.connect({ contact: () => {}, fault: (error) => faults.push(error) });
  await until(() => faults.length > 0, { what: "a fault" });
  assert.match(faults[0]?.message ?? "", new RegExp(`NATS at 127.0.0.1:${port}: .*refused`));
  await JetStream.start({ t, port });
  await bounded(contact, { what: "the first contact" });
  assert.equal(faults.length, 1);
});

test("an engine that ends while it tries to connect stops trying", skip, async (t) => {
  const engine = natsEngine(settingsOf([`nats://127.0.0.1:${await freePort()}`], "one"));
  const faults: Error[] = [];
  const contact = engine.connect({ contact: () => {}, fault: (error) => faults.push(error) });
  const rejected = assert.rejects(bounded(contact), /has ended/);
  await until(() => faults.length > 0, { what: "a fault" });
  await engine.end(1_000);
  await rejected;
  t.after(() => engine.end(0));
});

test("a server that is not there is passed over for another", skip, async (t) => {
  const server = await JetStream.start({ t });
  const servers = [1, 2, 3].map(() => server.url.replace("127.0.0.1", "127.0.0.2"));
  const one = await connected(natsEngine(settingsOf([...servers, server.url], "one")), t);
  assert.deepEqual(one.contacts, [true]);
});

test("an exception in the callback for faults makes nobody deaf", skip, async (t) => {
  const server = await JetStream.start({ t });
  const engine = natsEngine(settingsOf([server.url], "one"));
  t.after(() => engine.end(0));
  const failing = () => {
    throw new Error("on purpose");
  };
  await bounded(engine.connect({ contact: failing, fault: failing }), { what: "the first contact" });
  let heard = 0;
  engine.onBeat(() => {
    heard += 1;
    failing();
  });
  engine.beat(bytes("1"));
  engine.beat(bytes("2"));
  await until(() => heard === 2, { what: "two beats" });
});

test("an answer of which a part is missing is reported as lost", skip, async (t) => {
  const server = await JetStream.start({ t });
  const one = await connected(natsEngine(settingsOf([server.url], "one")), t);
  const other = await connected(natsEngine(settingsOf([server.url], "other")), t);
  const sends: ((answer: Uint8Array, isLast: boolean) => void)[] = [];
  other.engine.answer("a", (_request, send) => {
    sends.push(send);
    send(bytes("first"), false);
    return { more: () => {}, end: () => {} };
  });
  await listens(other);
  const asked = ask(one.engine, "a", "hello");
  await until(() => asked.heard.length === 1, { what: "the first answer" });
  await server.kill();
  await until(() => other.contacts.length === 2, { what: "the loss" });
  sends[0]?.(bytes("second"), false);
  await server.start();
  await until(() => other.contacts.length === 3 && one.contacts.length === 3, { what: "the return" });
  sends[0]?.(bytes("third"), true);
  assert.equal(await asked.over(), "lost");
  assert.deepEqual(asked.heard, ["first"]);
});

test("an asker learns that the member it sends more to has gone", skip, async (t) => {
  const server = await JetStream.start({ t });
  const one = await connected(natsEngine(settingsOf([server.url], "one")), t);
  const other = await connected(natsEngine(settingsOf([server.url], "other")), t);
  let taken = 0;
  other.engine.answer("a", () => {
    taken += 1;
    return { more: () => {}, end: () => {} };
  });
  await listens(other);
  const asked = ask(one.engine, "a", "hello");
  await until(() => taken === 1, { what: "the request" });
  await other.engine.end(1_000);
  asked.more(bytes("more"));
  assert.equal(await asked.over(), "lost");
});
