/** Blocking calls: a program that does not await. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { ExitReport } from "../../src/index.ts";
import { deeds } from "../faults/deeds.ts";
import { run } from "../support/child.ts";
import { denoPath, nodePath, root, runtime } from "../support/root.ts";
import { sideBySide } from "../support/side-by-side.ts";
import type { Cleanup } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";
import { received, startSubscribable } from "./async-behaviours.ts";

/** Two at a time, since one waits for the pulse of a hung thread: each runs in a program of its own. */
const test = sideBySide("a blocking program", 2);

interface Failed {
  readonly code?: string;
  readonly sent?: string;
  readonly message?: string;
  readonly ms?: number;
  readonly returned?: unknown;
}

/** Runs a scenario of the program beside this file. */
async function scenario<Seen>(t: Cleanup, name: string, job: object): Promise<Seen> {
  const program = fileURLToPath(import.meta.url).replace(".test.", "-program.");
  const [command, args] = runtime === "deno" ? [denoPath(), ["run", "--allow-all"]] : [nodePath(), []];
  const all = [...args, program, name, JSON.stringify(job)];
  const { code, stdout, stderr } = await run({ command, args: all, cwd: root, t, within: 40_000 });
  assert.equal(code, 0, `${stdout}${stderr}`);
  return JSON.parse(stdout) as Seen;
}

const failed = ({ code, sent }: Failed) => [code, sent];
const echoed = (params: unknown, id: unknown = 1) => JSON.stringify({ jsonrpc: "2.0", id, result: params });

for (const [name, deed, withinMs] of [
  ["hangs", "hang", 9_000],
  ["ends", "exit", 1_000],
  ["throws", "throw", 1_000],
] as const) {
  // A hang takes 6 s to be found: once is enough.
  for (const place of deed === "hang" ? ["crashOfLine"] : ["crash", "crashOfLine"]) {
    const where = place === "crash" ? "beside the host" : "of another thread";
    test(`a call ${where} is woken with an error when the thread ${name}, and a later one is served`, async (t) => {
      const { upstream, upstreams } = await deeds(t);
      const { protocol } = upstreams.default as { readonly protocol: string };
      const job = { url: upstream.url, protocol, deed };
      const seen = await scenario<{ failed: Failed; beside?: Failed; again: string }>(t, place, job);
      assert.deepEqual(failed(seen.failed), ["sidecar_crashed", "maybe"]);
      assert.ok((seen.failed.ms ?? 0) < withinMs, `${seen.failed.ms} ms`);
      assert.equal(seen.again, "echo one");
      if (seen.beside) assert.deepEqual(failed(seen.beside), ["sidecar_crashed", "no"]);
    });
  }
}

test("a program that computes beyond a request's time still gets the reply that came in time", async (t) => {
  const upstream = await startUpstream({ t });
  assert.match(await scenario<string>(t, "computes", { url: upstream.url }), /"result"/);
});

test("requestSync and sendSync return what request and send resolve with", async (t) => {
  const upstream = await startUpstream({ t });
  const seen = await scenario<Record<string, unknown>>(t, "requests", { url: upstream.url });
  assert.deepEqual(seen, {
    text: echoed(["ü"], "mine"),
    bytes: echoed(["ü"]),
    large: echoed("x".repeat(3_000_000)).length,
    batch: `[${echoed([1], "a")},${echoed([2], "b")}]`,
  });
  for (const word of ["sent", "proven"])
    assert.ok(
      upstream.texts.some((text) => text.includes(word)),
      word,
    );
  assert.equal(upstream.last.closed?.code, 1001);
});

test("blocking calls take objects, return replies in the form that is asked for, and name wrong options", async (t) => {
  const upstream = await startUpstream({ t });
  const seen = await scenario<Record<string, unknown>>(t, "everyday", { url: upstream.url });
  const { failed: refusal, wrong, ...replies } = seen as { failed: Failed; wrong: Failed[] };
  const text = echoed(["ü"]);
  assert.deepEqual(replies, { text, bytes: text, value: JSON.parse(text), result: ["ü"] });
  assert.deepEqual(failed(refusal), ["rpc_error", "yes"]);
  for (const each of wrong) assert.deepEqual(failed(each), ["invalid_request", "no"]);
  const words = ["did you mean timeoutMs", "did you mean confirm", "frame, text, bytes, json", "idleMs", "a Promise"];
  words.forEach((word, at) => {
    assert.ok(wrong[at]?.message?.includes(word), `${word}: ${wrong[at]?.message}`);
  });
});

test("a program ends although its sidecar runs, once unref allows it, by a close handshake", async (t) => {
  const upstream = await startUpstream({ t });
  const seen = await scenario<{ result: unknown; leftAt: number }>(t, "released", { url: upstream.url });
  const ms = Date.now() - seen.leftAt;
  assert.deepEqual(seen.result, [50]);
  // Half of the timeout of the call that had its reply: nothing of it may hold the program.
  assert.ok(ms < 12_500, `${ms} ms`);
  assert.equal(upstream.last.closed?.code, 1001);
});

test("blocking and awaited calls of one sidecar go out in their order, and each gets its own reply", async (t) => {
  const upstream = await startUpstream({ t });
  const replies = await scenario<string[]>(t, "mixed", { url: upstream.url });
  assert.deepEqual(replies, [echoed(["before"]), echoed(["blocking"]), echoed(["after"])]);
  const order = ["before", "blocking", "after"].map((word) => upstream.texts.findIndex((text) => text.includes(word)));
  assert.deepEqual(order, [0, 1, 2]);
});

test("a blocking call ends at its timeout, and its late reply is nobody else's", async (t) => {
  const upstream = await startUpstream({ t });
  const seen = await scenario<{ failed: Failed; invalid: Failed[]; swapped: number }>(t, "timeouts", {
    url: upstream.url,
    calls: 1_000,
  });
  assert.deepEqual(failed(seen.failed), ["reply_timeout", "maybe"]);
  assert.ok((seen.failed.ms ?? 0) >= 99, `${seen.failed.ms} ms`);
  for (const each of seen.invalid) assert.deepEqual(failed(each), ["invalid_request", "no"]);
  assert.equal(seen.swapped, 0);
});

test("threads that were given lines share one connection, and each gets its own replies", async (t) => {
  const upstream = await startUpstream({ t });
  const seen = await scenario<{ threads: number[]; own: number }>(t, "lines", { url: upstream.url, calls: 500 });
  assert.deepEqual(seen, { threads: [0, 0, 0, 0], own: 0 });
  assert.equal(upstream.connections.length, 1);
  assert.equal(upstream.texts.length, 4 * 500 + 50);
});

const skip = runtime === "node" && "Node has no Web Workers";
test("Web Workers that were posted lines get their own replies, and give the lines back", { skip }, async (t) => {
  const upstream = await startUpstream({ t });
  const seen = await scenario<object>(t, "webWorkers", { url: upstream.url, calls: 200 });
  const thread = { swapped: 0, large: 300_000 };
  assert.deepEqual(seen, { threads: [thread, thread, thread], own: 0 });
  assert.equal(upstream.connections.length, 1);
});

test("limits.in_flight counts the calls of lines", async (t) => {
  const upstream = await startUpstream({ t });
  const seen = await scenario<{ failed: Failed; next: string }>(t, "full", { url: upstream.url });
  assert.deepEqual(failed(seen.failed), ["too_many_in_flight", "no"]);
  assert.equal(seen.next, echoed(["next"]));
});

test("messagesSync iterates from a place, with a filter, until nothing comes for idleMs", async (t) => {
  const upstream = await startUpstream({ t });
  const tick = { jsonrpc: "2.0", method: "tick" };
  const ticks = setInterval(() => upstream.connections.at(-1)?.send(tick), 50);
  t.after(() => clearInterval(ticks));
  const seen = await scenario<Record<string, unknown>>(t, "messages", { url: upstream.url });
  const note = (n: number) => JSON.stringify({ jsonrpc: "2.0", method: "note", params: { n } });
  const { place, ...data } = seen;
  assert.deepEqual(data, {
    seen: [note(1), note(2), note(3)],
    later: [note(2), note(3)],
    newest: [JSON.stringify(tick)],
  });
  assert.deepEqual(failed(place as Failed), ["invalid_request", "no"]);
});

test("a blocking program subscribes, beside the host, on a line and through a keeper", async (t) => {
  const upstream = await startSubscribable();
  t.after(() => upstream.stop());
  let n = 0;
  const ticks = setInterval(() => {
    n++;
    for (const connection of upstream.live)
      connection.send({ jsonrpc: "2.0", method: "tick", params: { subscription: "of news", n } });
  }, 10);
  t.after(async () => clearInterval(ticks));
  const seen = await scenario<Record<string, object>>(t, "subscriptions", { url: upstream.url });
  const { pattern, ...places } = seen as { pattern: Failed };
  assert.deepEqual(failed(pattern), ["invalid_request", "no"]);
  assert.match(pattern.message ?? "", /await subscribe/);
  assert.deepEqual(Object.keys(places), ["beside", "line", "kept"]);
  for (const [place, { failures, ...rest }] of Object.entries(places as Record<string, { failures: Failed[] }>)) {
    assert.deepEqual(rest, { numbers: [0, 1, 2], first: true, isStillThere: true, ends: true, none: 0 }, place);
    assert.deepEqual(
      failures.map(failed),
      [
        ["invalid_reply", "yes"],
        ["reply_timeout", "maybe"],
        ["invalid_request", "no"],
        ["invalid_request", "no"],
        ["not_found", "no"],
        ["not_found", "no"],
        ["invalid_reply", "yes"],
      ],
      place,
    );
  }
  const unsubscribed = received(upstream, '"unsubscribe"');
  assert.deepEqual(
    ["news", "quiet", "refusing"].map((topic) => unsubscribed.filter((text) => text.includes(`of ${topic}`)).length),
    [6, 3, 3],
  );
});

test("an exit ends the calls that block other threads, and refuses later ones", async (t) => {
  const upstream = await startUpstream({ t });
  const url = upstream.url;
  const seen = await scenario<{
    threads: Failed[];
    steps: { step: string; counts: { cancelled: unknown } }[];
    after: Failed;
  }>(t, "leaving", { url });
  assert.deepEqual(
    seen.threads.map(({ code }) => code),
    ["cancelled", "cancelled", "cancelled"],
  );
  // A pong may have come since they were sent, which proves that they arrived.
  const told = { no: 0, maybe: 0, yes: 0 };
  for (const { sent } of seen.threads) told[sent as keyof typeof told]++;
  assert.equal(told.no, 0);
  assert.deepEqual(seen.steps.find(({ step }) => step === "cancel")?.counts.cancelled, told);
  assert.deepEqual(failed(seen.after), ["shutting_down", "no"]);
});

test("a program that never awaits starts, calls and ends its sidecar, and gets the whole report", async (t) => {
  const upstream = await startUpstream({ t });
  const seen = await scenario<Record<string, unknown>>(t, "kept", { url: upstream.url, calls: 200 });
  const { report, after, ...rest } = seen as { report: ExitReport; after: Failed };
  assert.deepEqual(rest, { own: 0, phase: "ready", again: true });
  assert.deepEqual([report.cause, report.forced, report.exit_code], ["exitSync()", false, 0]);
  assert.deepEqual(
    report.steps.map(({ step, outcome }) => [step, outcome]),
    ["drain", "stop", "close", "cancel", "join"].map((step) => [step, "done"]),
  );
  assert.deepEqual(failed(after), ["shutting_down", "no"]);
  assert.equal(upstream.last.closed?.code, 1001);
});

test("a program that just ends leaves the upstream by a close handshake", async (t) => {
  const upstream = await startUpstream({ t });
  assert.equal(await scenario(t, "keptToTheEnd", { url: upstream.url }), echoed(["left"]));
  assert.equal(upstream.last.closed?.code, 1001);
});

test("startSync refuses what start refuses, and what cannot be given to a thread", async (t) => {
  const seen = await scenario<Failed[]>(t, "keptWrong", {});
  assert.deepEqual(seen.map(failed), [
    ["invalid_config", "no"],
    ["invalid_config", "no"],
  ]);
});

test("a program that never awaits is served by the next thread when one dies", async (t) => {
  const { upstream, upstreams } = await deeds(t);
  const { protocol } = upstreams.default as { readonly protocol: string };
  const job = { url: upstream.url, protocol, deed: "exit" };
  const seen = await scenario<{ failed: Failed; again: string }>(t, "keptCrash", job);
  assert.deepEqual(failed(seen.failed), ["sidecar_crashed", "maybe"]);
  assert.equal(seen.again, "echo one");
});
