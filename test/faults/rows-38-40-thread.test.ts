/** Fault rows 38 to 40: the sidecar's thread dies, hangs, or is stuck beyond reach. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { problem, timed } from "../contract/expect.ts";
import { endOf, outcomes, stepOf } from "../exit/stopping.ts";
import { MESSAGES, page, Stream } from "../support/messages.ts";
import { threads } from "../support/proc.ts";
import { type Product, startProduct } from "../support/product.ts";
import { runtime } from "../support/root.ts";
import { sideBySide } from "../support/side-by-side.ts";
import { type Cleanup, until } from "../support/until.ts";
import { type Deeds, deeds, say, sayAndSee } from "./deeds.ts";

/** The thread's pulse takes six seconds to find it. */
const waiting = sideBySide("rows 39 and 40: a thread without a pulse");

const CRASHED = { status: 502, code: "sidecar_crashed", sent: "maybe" } as const;
/** The pulse: five unanswered beats of a second, found at the sixth. */
const FOUND_WITHIN_MS = 7_500;
const SMALL = { drain: "200ms", close: "200ms", flush: "200ms", join: "200ms", kill: "200ms", answer: "200ms" };
const SMALL_MS = 1_200;

async function start(t: Cleanup, shutdown = {}): Promise<Deeds & { readonly product: Product }> {
  const made = await deeds(t);
  const product = await startProduct({ config: { shutdown, upstreams: made.upstreams }, t });
  await product.ready();
  return { ...made, product };
}

async function serves(product: Product): Promise<void> {
  await product.ready();
  assert.equal(await (await say(product, "echo again")).text(), "echo again");
}

for (const deed of ["throw", "reject", "exit", "overflow"]) {
  test(`row 38: a thread that dies (${deed}) fails all pending requests within 100 ms, and restarts`, async (t) => {
    const { product, upstream } = await start(t);
    const pending = Array.from({ length: 50 }, (_, n) => say(product, `never ${n}`));
    await upstream.until(() => upstream.texts.length === pending.length);
    const killed = say(product, deed);
    // The bound counts from the end of the thread, which the upstream sees as the end of its socket.
    const dead = upstream.until(() => upstream.live.length === 0).then(() => performance.now());
    for (const response of await Promise.all([...pending, killed])) await problem(response, CRASHED);
    const late = performance.now() - (await dead);
    assert.ok(late < 100 + 400, `${late} ms`); // 400 ms for a busy machine to read fifty responses
    await serves(product);
    assert.equal((await product.stop()).code, 0);
    assert.doesNotMatch(product.stderr(), /unhandled|internal error/i);
  });
}

test("row 38: message readers are notified when the thread dies, and read on in its successor's journal", async (t) => {
  const { product, upstream } = await start(t);
  upstream.broadcast("news 1");
  const { next } = await page(product, "?wait=10");
  const stream = await Stream.open(product, `${MESSAGES}?after=${next}`, { accept: "text/event-stream" }, t);
  const polling = page(product, `?after=${next}&wait=20`);
  await until(async () => (await product.state()).readers === 2);
  await problem(await say(product, "throw"), CRASHED);
  assert.deepEqual(
    (await polling).messages.map(({ gap }) => gap?.reason),
    ["crashed"],
  );
  await product.ready();
  upstream.broadcast("news 2");
  await stream.until(() => stream.dataEvents.at(-1)?.data === "news 2");
  assert.deepEqual(
    stream.dataEvents.map(({ name }) => name),
    ["gap", "message"],
  );
});

test("row 38: a thread that runs out of memory takes nothing with it, and restarts", async (t) => {
  const { product, upstream } = await start(t);
  const pending = say(product, "never");
  await upstream.until(() => upstream.texts.length === 1);
  const exhausting = say(product, "exhaust");
  for (const response of [await pending, await exhausting]) await problem(response, CRASHED);
  assert.equal((await product.fetch("/livez")).status, 200);
  await serves(product);
  await product.said(/memory|did not respond/);
  assert.equal((await product.stop()).code, 0);
});

waiting("row 39: a hung thread is found by its pulse and replaced, and pending requests fail", async (t) => {
  const { product, upstream } = await start(t);
  const count = threads(product.pid);
  const pending = say(product, "never");
  await upstream.until(() => upstream.texts.length === 1);
  const [responses, ms] = await timed(Promise.all([pending, say(product, "hang")]));
  for (const response of responses) await problem(response, CRASHED);
  assert.ok(ms > 4_000 && ms < FOUND_WITHIN_MS, `${ms} ms`);
  await serves(product);
  await upstream.until(() => upstream.live.length === 1, { within: 1_000, what: "the hung thread's socket to end" });
  await until(() => threads(product.pid) <= count, { what: "the hung thread to be gone" });
  assert.equal((await product.stop()).code, 0);
});

/**
 * A call that neither runtime can interrupt. On Node the join is honest: the thread is seen not to end, and the process
 * leaves by the one way that does not wait for it. Deno takes the terminated thread for gone, though the call goes on
 * until the process ends: its exit code is 1, and the exit waits for nothing.
 */
const STUCK =
  runtime === "node"
    ? { code: null, signal: "SIGKILL", exitCode: 70, join: "join failed", joined: 0, said: /could not be joined/ }
    : { code: 1, signal: null, exitCode: 1, join: "join forced", joined: 1, said: /"join","outcome":"forced"/ };

for (const cause of ["SIGTERM", "/shutdown"] as const) {
  test(`row 40: a thread stuck in a native call does not hold ${cause} beyond the whole bound`, async (t) => {
    const { product, upstream, pipe } = await start(t, SMALL);
    const { answer } = await sayAndSee(product, `block ${pipe}`, upstream);
    const began = performance.now();
    const answered = cause === "/shutdown" ? product.fetch("/shutdown", { method: "POST" }) : undefined;
    if (cause === "SIGTERM") product.child.signal(cause);
    const { code, signal, report } = await endOf(product, began, SMALL_MS);
    assert.deepEqual([code, signal, report.exit_code], [STUCK.code, STUCK.signal, STUCK.exitCode], product.stderr());
    assert.deepEqual(outcomes(report).slice(2), ["close forced", "cancel done", STUCK.join]);
    assert.deepEqual(stepOf(report, "join").counts, { joined: STUCK.joined, threads: 1 });
    await product.said(STUCK.said);
    assert.equal((await answer).headers.get("sidesocket-code"), "cancelled");
    if (answered) assert.deepEqual(await (await answered).json(), report);
    await upstream.until(() => upstream.live.length === 0, { within: 500 });
  });
}

waiting("row 40: a thread stuck in a native call is found by its pulse", async (t) => {
  const { product, upstream, pipe } = await start(t, SMALL);
  const began = performance.now();
  const { answer } = await sayAndSee(product, `block ${pipe}`, upstream);
  await problem(await answer, CRASHED);
  assert.ok(performance.now() - began < FOUND_WITHIN_MS);
  if (runtime === "node") {
    // The thread cannot be ended, so the process gives up: within the 2 s for terminating and the exit's bounds.
    const { signal, report } = await endOf(product, performance.now(), 2_000 + SMALL_MS);
    assert.deepEqual([signal, report.cause, report.exit_code], ["SIGKILL", "sidecar_crashed", 70]);
    await product.said(/cannot be ended/);
  } else {
    // Deno takes the thread for gone and starts another while it stays blocked; the exit does not mind.
    await serves(product);
    const { code, signal, ms } = await product.stop();
    assert.deepEqual([code, signal], [0, null], product.stderr());
    assert.ok(ms < SMALL_MS, `${ms} ms`);
  }
});
