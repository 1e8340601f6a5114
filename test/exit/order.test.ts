/**
 * The exit protocol alone, on stand-ins that record a trace: the order of its actions, and what each step waits for.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Deferred, deferred } from "../../src/core/util/deferred.ts";
import { type Exit, type ExitReport, runExit } from "../../src/sidecar/host/exit.ts";
import { bounded, type Cleanup, delay, until } from "../support/until.ts";
import { ALL_DONE, outcomes } from "./stopping.ts";

/** The exit's actions, in their required order. */
const ORDER = [
  ...["unready", "refuse", "stop restarting", "drain"],
  ...["stop", "stop readers"],
  "close",
  ...["cancel", "abandon", "flush", "cut"],
  "end",
] as const;
/** The actions that the exit waits for. */
const WAITED = ["drain", "close", "cancel", "flush", "end"] as const;
type Waited = (typeof WAITED)[number];
/** Actions that replace or follow another one when there is no time or it took too long. */
type Harder = "break" | "terminate";

const LONG = { delay: 0, drain: 60_000, close: 60_000, flush: 60_000, join: 60_000, kill: 60_000, answer: 60_000 };
const SHORT = { delay: 0, drain: 20, close: 20, flush: 20, join: 20, kill: 20, answer: 20 };
/** The bound for a wait that should be over at once, on a busy machine. */
const AT_ONCE = { within: 5_000 };

const CLOSED = { code: 1001, by: "us", forced: false } as const;
const CANCELLED = { counts: { no: 1, maybe: 2, yes: 3 }, discarded: 5 };

interface Staged {
  readonly trace: string[];
  readonly force: AbortController;
  readonly report: Promise<ExitReport>;
  /** Completes the held action. */
  release(): void;
}

/** Begins an exit. A held action completes when it is released or when the test ends. */
function stage(t: Cleanup, held: readonly (Waited | Harder)[], more: Partial<Exit> = {}): Staged {
  const trace: string[] = [];
  const force = new AbortController();
  const gate: Deferred<void> = deferred();
  const doing = async (deed: Waited | Harder): Promise<void> => {
    trace.push(deed);
    if (held.includes(deed)) await gate.promise;
  };
  const note = (deed: string) => () => void trace.push(deed);
  const report = runExit({
    cause: "call",
    bounds: LONG,
    force: force.signal,
    upstreams: [
      {
        name: "default",
        replies: 0,
        inFlight: 0,
        drain: () => doing("drain"),
        stop() {
          trace.push("stop readers");
          return 6;
        },
        close: (withinMs) => doing(withinMs === 0 ? "break" : "close").then(() => CLOSED),
        cancel: () => doing("cancel").then(() => CANCELLED),
        abandonAll() {
          trace.push("abandon");
          return held.includes("cancel") ? 4 : 0;
        },
      },
    ],
    threads: [
      { stopRestarting: note("stop restarting"), end: () => doing("end"), terminate: () => doing("terminate") },
    ],
    http: {
      unready: note("unready"),
      refuse: note("refuse"),
      stop: note("stop"),
      flushed: () => doing("flush"),
      cut: note("cut"),
    },
    ...more,
  });
  t.after(async () => {
    gate.resolve();
    force.abort();
  });
  return { trace, force, report, release: () => gate.resolve() };
}

test("every action of every step runs once, in order", async (t) => {
  const { trace, report } = stage(t, []);
  assert.deepEqual(outcomes(await bounded(report, AT_ONCE)), ALL_DONE);
  assert.deepEqual(trace, ORDER);
  const { steps, exit_code, forced } = await report;
  assert.deepEqual([exit_code, forced], [0, false]);
  assert.deepEqual(
    steps.map(({ counts }) => counts),
    [
      { replied: 0, left: 0 },
      { readers: 6 },
      { upstreams: [{ upstream: "default", ...CLOSED }] },
      { cancelled: CANCELLED.counts, messages: 5, flushed: true },
      { joined: 1, threads: 1 },
    ],
  );
});

/** The bound of each cancel, so that a hung thread costs next to nothing. */
const CANCEL_WITHIN_MS = 100;

for (const held of WAITED) {
  const bounds = held === "cancel" ? { ...LONG, flush: 0 } : LONG;

  test(`nothing after \`${held}\` runs before it is over, or its bound`, async (t) => {
    for (let round = 1; ; round++) {
      const began = performance.now();
      const { trace, report, release } = stage(t, [held], { bounds });
      await until(() => trace.includes(held), AT_ONCE);
      let over = false;
      report.then(() => (over = true));
      await delay(held === "cancel" ? 20 : 60);
      const seen = { trace: [...trace], over };
      const inTime = held !== "cancel" || performance.now() - began < CANCEL_WITHIN_MS;
      release();
      assert.deepEqual(outcomes(await bounded(report, AT_ONCE)), ALL_DONE);
      assert.deepEqual(trace, ORDER);
      assert.ok(inTime || round < 50, "the machine is too busy for this");
      if (!inTime) continue;
      assert.deepEqual(seen, { trace: ORDER.slice(0, ORDER.indexOf(held) + 1), over: false });
      return;
    }
  });

  test(`a \`${held}\` that never ends is given up after its bound, and the exit goes on`, async (t) => {
    const { trace, report } = stage(t, [held], { bounds: SHORT });
    const { exit_code, forced, steps } = await bounded(report, AT_ONCE);
    assert.deepEqual(trace, held === "end" ? [...ORDER, "terminate"] : ORDER);
    const worse = held === "close" || held === "end";
    assert.deepEqual([exit_code, forced], worse ? [1, true] : [0, false]);
    if (held === "flush") assert.equal(steps[3]?.counts.flushed, false);
    if (held === "cancel") assert.deepEqual(steps[3]?.counts.cancelled, { no: 0, maybe: 4, yes: 0 });
  });

  test(`force ends the wait for a \`${held}\` and skips no step`, async (t) => {
    const { trace, report, force } = stage(t, [held], { bounds });
    await until(() => trace.includes(held), AT_ONCE);
    force.abort();
    await bounded(report, AT_ONCE);
    const at = ORDER.indexOf(held) + 1;
    const rest = ORDER.slice(at).map((deed) => (deed === "close" ? "break" : deed));
    const harder = held === "close" ? ["break"] : held === "end" ? ["terminate"] : [];
    assert.deepEqual(trace, [...ORDER.slice(0, at), ...harder, ...rest]);
  });
}

test("`delay` changes nothing but readiness, and force ends it", async (t) => {
  const { trace, report, force } = stage(t, [], { bounds: { ...LONG, delay: 60_000 } });
  await delay(60);
  assert.deepEqual(trace, ["unready"]);
  force.abort();
  assert.deepEqual(outcomes(await bounded(report, AT_ONCE)), ALL_DONE);
});

test("a forced close is awaited only for a moment", async (t) => {
  const { trace, report, force } = stage(t, ["close", "break"]);
  await until(() => trace.includes("close"), AT_ONCE);
  force.abort();
  assert.deepEqual([(await bounded(report, AT_ONCE)).exit_code, (await report).forced], [1, true]);
});

test("a thread that survives termination is reported as not joined: code 70", async (t) => {
  const { trace, report } = stage(t, ["end", "terminate"], { bounds: SHORT, exitCode: () => 2 });
  const { exit_code, steps } = await bounded(report, AT_ONCE);
  assert.deepEqual(trace, [...ORDER, "terminate"]);
  assert.deepEqual([exit_code, steps[4]?.outcome, steps[4]?.counts], [70, "failed", { joined: 0, threads: 1 }]);
});

test("an error in a step is reported and skips no other step: code 70", async (t) => {
  const http = { unready() {}, refuse() {}, stop() {}, flushed: async () => {}, cut() {} };
  const wrong = () => {
    throw new RangeError("on purpose");
  };
  const { trace, report } = stage(t, [], { http: { ...http, stop: wrong } });
  const { exit_code, steps } = await bounded(report, AT_ONCE);
  assert.deepEqual(
    [exit_code, steps[1]?.outcome, steps[1]?.counts],
    [70, "failed", { error: "RangeError: on purpose" }],
  );
  assert.deepEqual(trace, ["stop restarting", "drain", "close", "cancel", "abandon", "end"]);
});

test("the failure's exit code stands, with or without force", async (t) => {
  for (const held of [[], ["close"]] as const) {
    const { report } = stage(t, held, { bounds: SHORT, exitCode: () => 2 });
    assert.equal((await bounded(report, AT_ONCE)).exit_code, 2);
  }
});
