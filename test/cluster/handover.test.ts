/** The exit of an owner: it hands the upstream over, and a rolling restart fails no request. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { lacksNats } from "../support/jetstream.ts";
import type { ExitReport } from "../support/report.ts";
import { delay } from "../support/until.ts";
import { Load, Scene } from "./scene.ts";

/** The short form is for every run; `ROUNDS=2` restarts each of the three replicas twice. */
const RESTARTS = Number(process.env.ROUNDS ?? 2 / 3) * 3;

for (const handover of ["after_close", "overlap"] as const) {
  test(`a rolling restart with ${handover} fails no request`, { skip: lacksNats }, async (t) => {
    const scene = await Scene.start({ t, handover });
    // An owner that hands over early has requests of others for longer than they wait for one that is gone.
    scene.upstream.delayMs = handover === "overlap" ? 400 : 20;
    const load = new Load(scene, 10);
    const reports: object[] = [];
    for (let restart = 0; restart < RESTARTS; restart++) {
      await delay(200);
      const owner = await scene.owner();
      load.skipped.add(owner);
      // A balancer takes it out before it is stopped; what it has is still answered.
      await delay(30);
      const replica = scene.replicas[owner];
      const { report } = await scene.stop(owner);
      const texts = replica?.log().map((each) => String(each["message"])) ?? [];
      // What another owner said of itself comes before.
      const ofExit = texts.slice(texts.indexOf("SIGTERM received"));
      const said = (pattern: RegExp) => ofExit.filter((each) => pattern.test(each)).length;
      assert.deepEqual([said(/^upstream default: closed/), said(/this replica gives it up/)], [1, 1]);
      assert.equal(texts.filter((each) => /this replica owns it, in term \d+$/.test(each)).length, 1);
      reports.push(...closesIn(report));
      await scene.replace(owner);
      load.skipped.delete(owner);
    }
    await delay(200);
    const all = await load.stop();
    t.diagnostic(`${all.length} requests, longest ${Math.round(Math.max(...all.map(({ ms }) => ms)))} ms`);
    t.diagnostic(JSON.stringify(reports));
    assert.deepEqual(all.filter(({ end }) => end !== "reply").slice(0, 3), []);
    assert.equal(reports.length, RESTARTS);
    for (const close of reports) assert.match(JSON.stringify(close), /"handover":\{"to":"[\w-]{44}","ms":\d+\}/);
    if (handover === "after_close") assert.equal(scene.upstream.mostOpen, 1, "one connection at a time");
  });
}

/** The ends of the upstreams in the report of an exit. */
function closesIn({ steps }: ExitReport): readonly object[] {
  const close = steps.find(({ step }) => step === "close");
  return (close?.counts?.["upstreams"] as readonly object[] | undefined) ?? [];
}
