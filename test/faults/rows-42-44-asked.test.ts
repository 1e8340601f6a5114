/** Fault rows 42 to 44: stops at any moment, requested by many at once, and requested again. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { assertReport, endOf, outcomes } from "../exit/stopping.ts";
import { RawConnection } from "../support/http.ts";
import { type Config, type Product, startProduct } from "../support/product.ts";
import { seeded } from "../support/random.ts";
import type { ExitReport } from "../support/report.ts";
import { runtime } from "../support/root.ts";
import { type Cleanup, delay, until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";
import { deeds, say, sayAndSee } from "./deeds.ts";
import { type FaultProxy, startProxy } from "./proxy.ts";
import { type Answer, late, never, replyTo, requestOf } from "./replies.ts";
import { startFaultUpstream } from "./upstream.ts";

const call = (method: string, params: unknown = []) => ({ jsonrpc: "2.0", id: 1, method, params });
const on = (url: string, more: Config = {}): Config => ({ default: { url, ...more } });

const CHAOS_ROUNDS = 4;
const CHAOS_MS = 900;
const CHAOS_CLIENTS = 20;
/** The time that a busy machine may take from a client's call to its arrival. */
const ARRIVING_MS = 250;
const CHAOS_BOUNDS = { drain: "400ms", close: "300ms", flush: "1s", join: "1s", kill: "500ms", answer: "500ms" };
const CHAOS_BOUND_MS = 3_700;

/** Runs one fault, or its repair. */
async function misfortune(proxy: FaultProxy, random: () => number): Promise<void> {
  const side = random() < 0.5 ? proxy.up : proxy.down;
  const all = [
    () => proxy.reset(),
    () => proxy.halfClose(random() < 0.5 ? "up" : "down"),
    () => side.set({ blackHole: true }),
    () => side.set({ delayMs: random() * 100 }),
    () => side.set({ bytesPerSecond: 5_000 }),
    () => proxy.refuse().then(() => proxy.listen()),
    () => proxy.heal(),
    () => proxy.heal(),
  ];
  await all[Math.floor(random() * all.length)]?.();
}

for (let round = 1; round <= CHAOS_ROUNDS; round += 1) {
  const seed = Number(process.env.CHAOS_SEED ?? Math.floor(Math.random() * 2 ** 31)) + round;
  test(`row 42: SIGTERM at a random moment of chaos, round ${round}`, async (t) => {
    const random = seeded(seed);
    const upstream = await startFaultUpstream({ onMessage: late(20) }, { t });
    const proxy = await startProxy({ to: upstream.port, t });
    const more = { reconnect: { from: "10ms", to: "100ms" }, keepalive: { ping: "100ms", pong_within: "100ms" } };
    const product = await startProduct({ config: { shutdown: CHAOS_BOUNDS, upstreams: on(proxy.url, more) }, t });
    await product.ready();
    let stopping = Number.POSITIVE_INFINITY;
    let answered = 0;
    const clients = Array.from({ length: CHAOS_CLIENTS }, async (_, client) => {
      for (let n = 0; ; n += 1) {
        const requested = performance.now();
        try {
          const response = await product.request(call("echo", [client, n]), { signal: AbortSignal.timeout(10_000) });
          const text = await response.text();
          if (response.status !== 200) assert.ok(response.headers.get("sidesocket-sent"), text);
          answered += 1;
        } catch (error) {
          // A caller that comes as the listener closes finds nobody. A request that arrived before must have been
          // answered.
          return requested > stopping - ARRIVING_MS ? undefined : `client ${client}, request ${n}: ${error}`;
        }
        await delay(random() * 5);
      }
    });
    await until(() => answered >= 2 * CHAOS_CLIENTS);
    const end = performance.now() + random() * CHAOS_MS;
    while (performance.now() < end) {
      await misfortune(proxy, random);
      await delay(random() * 60);
    }
    stopping = performance.now();
    product.child.signal("SIGTERM");
    const { code, signal, report } = await endOf(product, stopping, CHAOS_BOUND_MS);
    const why = `${product.stderr()}\nCHAOS_SEED=${seed - round}`;
    assert.deepEqual((await Promise.all(clients)).filter(Boolean), [], why);
    assert.deepEqual([code, signal], [report.forced ? 1 : 0, null], why);
    assert.equal(report.exit_code, code);
    assert.match(
      outcomes(report).join(),
      /^drain (done|forced),stop done,close (done|forced),cancel done,join done$/,
      why,
    );
    assert.doesNotMatch(product.stderr(), /unhandled|internal error/i);
  });
}

test("row 43: a hundred concurrent /shutdown and a SIGTERM are one stop with one report for all", async (t) => {
  const held: (() => void)[] = [];
  const hold: Answer = (peer, frame) => void held.push(() => peer.json(replyTo(requestOf(frame) ?? {})));
  const upstream = await startFaultUpstream({ onMessage: hold }, { t });
  const product = await startProduct({ upstream, t });
  await product.ready();
  const pending = product.request(call("held"));
  await upstream.until(() => held.length === 1);
  const callers = await Promise.all(Array.from({ length: 100 }, () => RawConnection.open(product, t)));
  callers.forEach((caller, n) => {
    caller.send({ method: "POST", path: "/shutdown" });
    if (n === 50) product.child.signal("SIGTERM");
  });
  const requested = () =>
    product.log().filter(({ message }) => message === "shutdown requested").length === callers.length;
  await product.until(() => requested() && product.stderr().includes("SIGTERM received"), {
    what: "all to have asked",
  });
  const answers = Promise.all(callers.map((caller) => caller.response()));
  for (const reply of held) reply();
  assert.equal((await pending).status, 200, "its reply arrived during the drain");
  assert.equal((await product.ended()).code, 0, product.stderr());
  const report = assertReport(product);
  for (const { status, body } of await answers) {
    assert.deepEqual([status, JSON.parse(body) as ExitReport], [200, report]);
  }
  assert.deepEqual([...new Set(callers.map(({ ended }) => ended))], ["fin"], "nobody saw a reset");
});

interface Wait {
  readonly bound: string;
  readonly within: (t: Cleanup, shutdown: Config) => Promise<Product>;
  readonly code: 0 | 1;
}

/** Ways to make each step wait. */
const waits: ReadonlyMap<string, Wait> = new Map<string, Wait>([
  [
    "drain",
    {
      bound: "drain",
      within: async (t, shutdown) => {
        const upstream = await startFaultUpstream({ onMessage: never }, { t });
        const product = await startProduct({ config: { shutdown, upstreams: on(upstream.url) }, t });
        await product.ready();
        product.request(call("silent")).catch(() => {});
        await upstream.until(() => upstream.texts.length === 1);
        return product;
      },
      code: 1,
    },
  ],
  [
    "close",
    {
      bound: "close",
      within: async (t, shutdown) => {
        const upstream = await startFaultUpstream({ onClose: false, onEnd: false }, { t });
        const product = await startProduct({ config: { shutdown, upstreams: on(upstream.url) }, t });
        await product.ready();
        return product;
      },
      code: 1,
    },
  ],
  [
    "cancel",
    {
      bound: "flush",
      within: async (t, shutdown) => {
        const upstream = await startUpstream({ t });
        const product = await startProduct({ config: { shutdown, upstreams: on(upstream.url) }, t });
        await product.ready();
        const reader = await RawConnection.open(product, t);
        reader.pause();
        reader.send({
          method: "POST",
          path: "/rpc",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify(call("big", [8e6])),
        });
        await until(async () => Number(((await product.state()).counters as Config).replies) === 1);
        return product;
      },
      code: 0,
    },
  ],
  [
    "join",
    {
      bound: "join",
      within: async (t, shutdown) => {
        const { upstream, upstreams } = await deeds(t);
        const product = await startProduct({
          config: { shutdown: { ...shutdown, drain: "0s", close: "0s" }, upstreams },
          t,
        });
        await product.ready();
        await sayAndSee(product, "hang", upstream);
        return product;
      },
      code: 1,
    },
  ],
]);

for (const [name, { bound, within, code }] of waits) {
  test(`row 44: a second signal ends a stop that waits in \`${name}\`, with the steps in their order`, async (t) => {
    // Ending a hung thread may take a busy machine its time; the question here is whether it waits 30 s.
    const product = await within(t, { [bound]: "30s", kill: "3s" });
    product.child.signal("SIGTERM");
    await product.until(() => product.stderr().includes("SIGTERM received"));
    await delay(600); // Until it waits, and the next signal is another wish.
    assert.equal(product.child.exit, undefined, "it waits");
    const began = performance.now();
    product.child.signal("SIGINT");
    const stopped = await endOf(product, began, 6_000);
    assert.ok(stopped.ms < 5_000, `${stopped.ms} ms`);
    assert.equal(stopped.code, code, product.stderr());
    assert.equal(stopped.report.cause, "SIGTERM");
  });
}

// On Deno a stuck thread counts as ended, so the exit is over before half a second makes the signal another wish.
const hangsOn = { skip: runtime === "deno" ? "nothing holds up the exit on Deno for so long" : false };

test("row 44: a third signal has its default effect, whatever hangs", hangsOn, async (t) => {
  const { upstream, upstreams, pipe } = await deeds(t);
  const product = await startProduct({ config: { shutdown: { kill: "20s" }, upstreams }, t });
  await product.ready();
  void (await sayAndSee(product, `block ${pipe}`, upstream)).answer.catch(() => {});
  void say(product, "never").catch(() => {});
  for (const force of [false, true]) {
    product.child.signal("SIGTERM");
    await product.until(() => product.stderr().includes(`force":${force}`));
    await delay(600); // so that the next one is another wish
  }
  const { signal, ms } = await product.stop("SIGTERM", 5_000);
  assert.equal(signal, "SIGTERM", product.stderr());
  assert.ok(ms < 500, `${ms} ms`);
  assert.equal(product.reports().length, 0, "no report so far");
});
