/** Limits of what callers leave behind, and of what one of them may take from the others. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { until } from "../support/until.ts";
import { MIB, REQUEST, rpc, startScene } from "./scene.ts";

/** The long form has as many as an attacker would: `FAILURES=1500`. */
const FAILURES = Number(process.env.FAILURES ?? 60);

/** Answers `echo` and nothing else. */
const echoOnly = {
  onMessage(message: unknown, connection: { send(value: unknown): void }): void {
    const { id, method, params } = JSON.parse(String(message));
    if (method === "echo") connection.send({ jsonrpc: "2.0", id, result: params });
  },
};

test("failures with ids of a megabyte are kept within the bytes of kept replies", async (t) => {
  const scene = await startScene(t, echoOnly);
  const id = "i".repeat(1_000_000);
  const init = { headers: { prefer: "respond-async" } };
  for (let n = 0; n < FAILURES; n++) {
    const response = await scene.product.post(`${REQUEST}?timeout=50ms`, rpc(id, "silent", n), init);
    await response.body?.cancel();
    assert.equal(response.status, 202);
  }
  await until(async () => (await scene.memory()).accounts.in_flight === 0, { within: 10_000, what: "the failures" });
  const { accounts, limit_bytes } = await scene.memory();
  assert.ok((accounts.kept ?? 0) <= Math.min(16 * MIB, 0.125 * limit_bytes), JSON.stringify(accounts));
  await scene.borne(() => {}, ["kept"]);
});

test("ids beside bodies of a megabyte do not keep the bodies alive", async (t) => {
  const scene = await startScene(t, echoOnly);
  const text = "x".repeat(1_000_000);
  for (let n = 0; n < FAILURES * 2; n += 10) {
    const timeOut = (at: number): Promise<Response> =>
      scene.product.post(
        `${REQUEST}?timeout=100ms`,
        rpc(`an id of more than thirteen characters: ${at}`, "silent", text),
      );
    const responses = await Promise.all(Array.from({ length: 10 }, (_, at) => timeOut(n + at)));
    for (const response of responses) assert.match(await response.text(), /"code":"reply_timeout"/);
  }
  await scene.borne(() => {});
});

test("one batch of a thousand with a long timeout gives 429 to nobody else", async (t) => {
  const scene = await startScene(t, echoOnly);
  const batch = `[${Array.from({ length: 1_000 }, (_, n) => rpc(n, "silent")).join(",")}]`;
  const holding = new AbortController();
  const held = scene.product.rpc(batch, { signal: holding.signal }).catch(() => undefined);
  await until(async () => ((await scene.product.state()).in_flight as number) >= 500, { within: 10_000, every: 20 });
  const statuses = await Promise.all(
    Array.from({ length: 200 }, async (_, n) => {
      const response = await scene.product.request(rpc(n, "echo"));
      await response.body?.cancel();
      return response.status;
    }),
  );
  assert.deepEqual([...new Set(statuses)], [200]);
  await scene.borne(() => holding.abort());
  await held;
});

test("where callers have tokens, one of them leaves the others a share of everything", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "sidesocket-tokens-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const [alice, bob] = ["a".repeat(32), "b".repeat(32)];
  await writeFile(join(folder, "tokens"), `alice:${alice}\nbob:${bob}\n`);
  const settings = { limits: { in_flight: 16 }, messages: { readers: 16 } };
  const scene = await startScene(t, echoOnly, { replies: { count: 16 } }, settings, {
    args: ["--token-file", join(folder, "tokens")],
    token: bob,
  });
  const as = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });
  const status = async (response: Promise<Response>): Promise<number> => {
    const { status: code, body } = await response;
    await body?.cancel();
    return code;
  };
  const leaving = new AbortController();
  const greedy = { headers: as(alice), signal: leaving.signal };
  const waiting = Array.from({ length: 15 }, (_, n) => scene.product.request(rpc(n, "silent"), greedy));
  const refused = await Promise.race(waiting.map(status));
  assert.equal(refused, 429);
  assert.equal(await status(scene.product.request(rpc(1, "echo"), { headers: as(bob) })), 200);

  const keyed = (token: string, key: number) =>
    scene.product.request(rpc(1, "echo"), { headers: { ...as(token), "idempotency-key": `${key}` } });
  const path = "/v1/upstreams/default/messages";
  const stream = (token: string) =>
    scene.product.fetch(path, { headers: { ...as(token), accept: "application/x-ndjson" }, signal: leaving.signal });
  const streams = await Promise.all(Array.from({ length: 15 }, () => stream(alice)));
  assert.deepEqual([...new Set(streams.map((one) => one.status))].sort(), [200, 429]);
  assert.equal((await stream(bob)).status, 200);
  leaving.abort();
  await Promise.allSettled(waiting);
  // The service sees only later that they have left, and until then they count.
  const isFree = async () => (await status(scene.product.request(rpc(1, "echo"), { headers: as(alice) }))) === 200;
  await until(isFree, { what: "the places of the requests that have left" });
  const keys: number[] = [];
  for (let key = 0; key < 15; key++) keys.push(await status(keyed(alice, key)));
  assert.deepEqual([...new Set(keys)].sort(), [200, 429]);
  assert.equal(await status(keyed(alice, 0)), 200, "an old key lives");
  assert.equal(await status(keyed(bob, 0)), 200);
  await scene.borne(() => {}, ["kept"]);
});
