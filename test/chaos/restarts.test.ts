/** An upstream that restarts again and again under load. `RESTARTS=100` for the long form. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { intact, scene } from "../faults/scene.ts";
import { delay, until } from "../support/until.ts";
import { Ledger } from "./ledger.ts";
import { startUpstreamProcess } from "./upstream-process.ts";

const RESTARTS = Number(process.env.RESTARTS ?? 5);
const CLIENTS = 20;
/** The time that the port stays closed. */
const AWAY_MS = 100;

test(`${RESTARTS} restarts under load cause no storm, end each request once, and deliver nothing twice`, async (t) => {
  const upstream = await startUpstreamProcess({ t });
  const here = await scene(t, upstream, { reconnect: { from: "20ms", to: "100ms" } });
  await here.product.ready();
  const ledger = new Ledger(() => 5_000);
  let going = true;
  const clients = Array.from({ length: CLIENTS }, async () => {
    while (going) {
      await ledger.request(here.product, { timeoutMs: 5_000 });
      // A pause after a refusal: an immediate repeat would only produce a load of refusals.
      await delay(5);
    }
  });
  let connects = await here.counter("connects");
  for (let n = 0; n < RESTARTS; n += 1) {
    const { messages } = await upstream.stats();
    await upstream.carryOut({ do: "restart", ms: AWAY_MS });
    await until(async () => (await here.counter("connects")) > connects, {
      what: "the connection to be back",
      every: 20,
    });
    connects = await here.counter("connects");
    await until(async () => (await upstream.stats()).messages > messages, {
      what: "messages to flow again",
      every: 20,
    });
  }
  going = false;
  await Promise.all(clients);
  const { connections } = await upstream.stats();
  await intact(here);
  const { ends, codes, problems } = ledger.judge(await upstream.received());
  t.diagnostic(JSON.stringify({ restarts: RESTARTS, connections, ends, codes }));
  assert.deepEqual(problems, []);
  assert.ok(ends.reply > RESTARTS && ends.left === 0);
  // One for each time that it was up; an attempt that falls into a restart may add a second one.
  assert.ok(connections >= RESTARTS + 1 && connections <= 2 * RESTARTS + 1, `${connections} connections`);
  assert.equal(connects, connections);
});
