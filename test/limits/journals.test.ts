/** Limits of messages: a large one that many read at once, and one that many subscriptions keep. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import process from "node:process";
import { test } from "node:test";
import { MESSAGES } from "../support/messages.ts";
import { until } from "../support/until.ts";
import { HOST, MIB, startScene } from "./scene.ts";

/** The long form has as many as an attacker would: `READERS=150`. */
const READERS = Number(process.env.READERS ?? 60);
const LARGE = "x".repeat(15_500_000);
/** A message of nearly 16 MB is made an event or a page in one piece, once for all its readers (docs/limits.md). */
const RENDERED_MS = 1_500;
const note = (text: string): string => `{"jsonrpc":"2.0","method":"note","params":"${text}"}`;

test("one large message is read by many at once, in turn, and each gets the whole of it", async (t) => {
  const scene = await startScene(t);
  scene.upstream.last.socket.send(note(LARGE));
  const kept = async (): Promise<number> => (await scene.memory()).accounts.journals ?? 0;
  await until(async () => (await kept()) > LARGE.length, { within: 20_000, every: 50, what: "the message" });
  const silent: Socket[] = [];
  for (const accept of ["text/event-stream", "application/json"]) {
    const text = `GET ${MESSAGES}?after=earliest HTTP/1.1\r\n${HOST}\r\nAccept: ${accept}\r\n\r\n`;
    for (let n = 0; n < READERS / 2; n++) silent.push(await scene.client(text));
  }
  const read = async (): Promise<string> => {
    const response = await scene.product.fetch(`${MESSAGES}?after=earliest`);
    const body = await response.text();
    return response.status === 200 ? String(body.length > LARGE.length) : JSON.parse(body).code;
  };
  const outcomes = await Promise.all(Array.from({ length: 5 }, read));
  for (const outcome of outcomes) assert.match(outcome, /true|congested/);
  await until(async () => (await read()) === "true", { within: 25_000, every: 200, what: "the message once more" });
  const over = () => {
    for (const client of silent) client.destroy();
  };
  await scene.borne(over, ["journals"], RENDERED_MS);
});

test("a message that a hundred subscriptions keep is kept once, and small ones no more than their part", async (t) => {
  const subscriptions = Object.fromEntries(
    Array.from({ length: 100 }, (_, n) => [
      `s${n}`,
      { request: { jsonrpc: "2.0", method: "subscribe", params: [n] }, match: { "/method": "note" } },
    ]),
  );
  const scene = await startScene(
    t,
    {
      onMessage(message, connection) {
        const { id, params } = JSON.parse(String(message));
        connection.send({ jsonrpc: "2.0", id, result: params ?? true });
      },
    },
    {},
    { subscriptions },
  );
  const isActive = async (): Promise<boolean> => {
    const response = await scene.product.fetch("/v1/upstreams/default/subscriptions");
    const { subscriptions: all } = (await response.json()) as { readonly subscriptions: readonly { phase: string }[] };
    return all.every(({ phase }) => phase === "active");
  };
  await until(isActive, { within: 20_000, every: 50, what: "the subscriptions" });
  const kept = async (): Promise<number> => (await scene.memory()).accounts.journals ?? 0;
  scene.upstream.last.socket.send(note("x".repeat(4 * MIB)));
  await until(async () => (await kept()) > 4 * MIB, { within: 20_000, every: 50, what: "the message" });
  assert.ok((await kept()) < 6 * MIB, `${await kept()} bytes`);
  for (let n = 0; n < 200; n++) scene.upstream.last.socket.send(note("x".repeat(4_000)));
  const part = 0.25 * (await scene.memory()).limit_bytes;
  await until(async () => ((await scene.product.state()).counters as { messages: number } | null)?.messages === 201, {
    within: 20_000,
    every: 50,
    what: "all messages",
  });
  assert.ok((await kept()) <= part + MIB, `${await kept()} bytes of ${part}`);
  await scene.borne(() => {}, ["journals"]);
});
