/** Webhooks of a shared upstream: the owner pushes, and the next one goes on where it was. */
import assert from "node:assert/strict";
import process from "node:process";
import { lacksNats } from "../support/jetstream.ts";
import { type Item, page } from "../support/messages.ts";
import { scrape } from "../support/metrics.ts";
import type { Product } from "../support/product.ts";
import { Receiver } from "../support/receiver.ts";
import { sideBySide } from "../support/side-by-side.ts";
import { type Cleanup, delay, until } from "../support/until.ts";
import { Scene, type SceneOptions } from "./scene.ts";

const test = sideBySide("webhooks of a shared upstream");
const BATCH = 10;

interface WebhookJson {
  readonly acknowledged: string | null;
  readonly delivered: number;
  readonly failures: number;
  readonly last_error: string | null;
  readonly stopped: boolean;
  readonly elsewhere: boolean;
}

async function start(t: Cleanup, options: Partial<SceneOptions> = {}, webhook: object = {}) {
  const receiver = await Receiver.start(t);
  const settings = { webhooks: [{ url: receiver.url, batch: BATCH, ...webhook }] };
  const scene = await Scene.start({ t, on: [undefined, undefined], settings, ...options });
  return { receiver, scene };
}

/** Says a number every few milliseconds until it is stopped. */
function talk(t: Cleanup, scene: Scene): () => void {
  let last = 0;
  const timer = setInterval(() => scene.upstream.say(++last), 4);
  const stop = () => clearInterval(timer);
  t.after(async () => stop());
  return stop;
}

function pushed(receiver: Receiver): readonly Item[] {
  return receiver.deliveries.flatMap(({ messages }) => messages);
}

/** Waits for the next owner: that it has a connection, and pushes. */
async function takenOver(receiver: Receiver, { upstream }: Scene, connections: number): Promise<void> {
  const isConnected = () => upstream.connections.length > connections && upstream.open > 0;
  await until(isConnected, { what: "the connection of the next owner" });
  const before = receiver.deliveries.length;
  await receiver.until(() => receiver.deliveries.length > before + 5, { what: "pushes of the next owner" });
}

async function webhookOf(replica: Product | undefined): Promise<WebhookJson> {
  assert.ok(replica);
  const response = await replica.fetch("/v1/upstreams/default");
  const { webhooks } = (await response.json()) as { webhooks: readonly WebhookJson[] };
  const [webhook] = webhooks;
  assert.ok(webhook);
  return webhook;
}

/** The log of the upstream, as a replica has it. */
async function logOf(replica: Product | undefined): Promise<readonly Item[]> {
  assert.ok(replica);
  const all: Item[] = [];
  for (let after = "earliest"; ; ) {
    const { messages, next } = await page(replica, `?after=${after}&limit=1000`);
    if (messages.length === 0) return all;
    all.push(...messages);
    after = next;
  }
}

/**
 * Says a last message, waits until the receiver has it, and compares what it got with the log.
 * @returns the cursors that it got again
 */
async function repeatedOf(receiver: Receiver, scene: Scene, replica: Product | undefined): Promise<readonly string[]> {
  const last = `last ${receiver.deliveries.length}`;
  scene.upstream.say(last);
  await receiver.until(() => receiver.deliveries.at(-1)?.text.includes(last), { what: "the push of the last message" });
  const log = await logOf(replica);
  const counts = new Map<string, number>();
  for (const { cursor } of pushed(receiver)) counts.set(cursor, (counts.get(cursor) ?? 0) + 1);
  assert.deepEqual(
    [...counts.keys()],
    log.map(({ cursor }) => cursor),
    "each entry of the log, in order",
  );
  return [...counts].filter(([, count]) => count > 1).map(([cursor]) => cursor);
}

test("one replica pushes each message once, and another goes on where it was", { skip: lacksNats }, async (t) => {
  const { receiver, scene } = await start(t);
  const owner = await scene.owner();
  const other = 1 - owner;
  for (let number = 1; number <= 25; number++) scene.upstream.say(number);
  await receiver.until(() => receiver.taken().length === 25, { what: "the messages" });

  await t.test("the others say that it is pushed elsewhere", async () => {
    assert.deepEqual(await repeatedOf(receiver, scene, scene.replicas[other]), []);
    const own = await until(async () => {
      const state = await webhookOf(scene.replicas[owner]);
      return state.delivered === 26 ? state : undefined;
    });
    assert.equal(own.acknowledged, JSON.parse(receiver.deliveries.at(-1)?.text ?? "").next);
    assert.equal(own.elsewhere, false);
    const theirs = await webhookOf(scene.replicas[other]);
    const { acknowledged, delivered, failures, last_error, stopped, elsewhere } = theirs;
    assert.deepEqual(
      { acknowledged, delivered, failures, last_error, stopped, elsewhere },
      { acknowledged: null, delivered: 0, failures: 0, last_error: null, stopped: false, elsewhere: true },
    );
    const samples = await Promise.all(
      [owner, other].map(async (index) => {
        const { url } = scene.replicas[index] as Product;
        return (await scrape(`${url}/metrics`)).sum("sidesocket_webhook_elsewhere", { upstream: "default" });
      }),
    );
    assert.deepEqual(samples, [0, 1]);
  });

  // A push is under way at any moment.
  receiver.delayMs = 15;
  let silent = talk(t, scene);
  await t.test("an owner that is stopped in order repeats nothing", async () => {
    await delay(300);
    const connections = scene.upstream.connections.length;
    await scene.stop(owner);
    await takenOver(receiver, scene, connections);
    silent();
    assert.deepEqual(await repeatedOf(receiver, scene, scene.replicas[other]), []);
    assert.equal((await webhookOf(scene.replicas[other])).elsewhere, false);
  });

  await scene.replace(owner);
  const kept = new Set(pushed(receiver).map(({ cursor }) => cursor));
  silent = talk(t, scene);
  await t.test("what an owner that is killed has pushed last is pushed again, and nothing is missing", async () => {
    await delay(600);
    const connections = scene.upstream.connections.length;
    await scene.kill(other);
    await takenOver(receiver, scene, connections);
    silent();
    const repeated = await repeatedOf(receiver, scene, scene.replicas[owner]);
    t.diagnostic(`${repeated.length} of ${pushed(receiver).length} repeated`);
    assert.deepEqual(
      repeated.filter((cursor) => kept.has(cursor)),
      [],
    );
    assert.ok(repeated.length < 1_000 + BATCH, `${repeated.length} repeated`);
  });
});

test("an owner that hands over early repeats nothing", { skip: lacksNats }, async (t) => {
  const { receiver, scene } = await start(t, { handover: "overlap" });
  const silent = talk(t, scene);
  const owner = await scene.owner();
  await receiver.until(() => receiver.deliveries.length > 10, { what: "pushes" });
  // One push takes longer than the next owner needs to begin.
  receiver.delayMs = 250;
  const before = receiver.deliveries.length;
  await receiver.until(() => receiver.deliveries.length > before, { what: "a push that takes its time" });
  receiver.delayMs = 0;
  const connections = scene.upstream.connections.length;
  await scene.stop(owner);
  await takenOver(receiver, scene, connections);
  silent();
  assert.deepEqual(await repeatedOf(receiver, scene, scene.replicas[1 - owner]), []);
});

test("an owner that was stopped pushes nothing after it was replaced", { skip: lacksNats }, async (t) => {
  const { receiver, scene } = await start(t, { lease: "600ms" }, { when: { match: { "/method": "told" } } });
  const silent = talk(t, scene);
  const owner = await scene.owner();
  await receiver.until(() => receiver.deliveries.length > 10, { what: "pushes" });
  const { pid } = scene.replicas[owner] as Product;
  const connections = scene.upstream.connections.length;
  process.kill(pid, "SIGSTOP");
  await takenOver(receiver, scene, connections);
  process.kill(pid, "SIGCONT");
  await until(async () => (await webhookOf(scene.replicas[owner])).elsewhere, { what: "the end of its turn" });
  await delay(100);
  silent();
  const repeated = await repeatedOf(receiver, scene, scene.replicas[1 - owner]);
  assert.ok(repeated.length < 1_000 + BATCH, `${repeated.length} repeated`);
});
