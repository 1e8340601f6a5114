/**
 * The engine over three NATS servers that fail in turn.
 *
 * It runs if `NATS_SERVER` names a nats-server 2.10 or later: Debian 12 has an older one, whose claims can be won twice.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { connect } from "@nats-io/transport-node";
import type { Engine } from "../../src/cluster/engine.ts";
import { natsEngine } from "../../src/cluster/nats.ts";
import { bucketStream, logStream } from "../../src/cluster/nats-streams.ts";
import { freePort } from "../support/free-port.ts";
import { JetStream } from "../support/jetstream.ts";
import { bounded, type Cleanup, until } from "../support/until.ts";
import { ask, bytes, CLAIMS_MAX, connected, listens, type Member, settingsOf, text } from "./engine-expectations.ts";

const WITHIN_MS = 20_000;
const LIMITS = { bytes: 1024 * 1024 };
const skip = { skip: lacksThree() };

function lacksThree(): string | false {
  const { stdout } = spawnSync(process.env.NATS_SERVER ?? "false", ["--version"], { encoding: "utf8" });
  const [, major = 0, minor = 0] = (/v(\d+)\.(\d+)/.exec(stdout ?? "") ?? []).map(Number);
  return major * 1000 + minor < 2010 && "NATS_SERVER does not name a nats-server 2.10 or later";
}

async function startThree(t: Cleanup): Promise<readonly JetStream[]> {
  const routes = await Promise.all([freePort(), freePort(), freePort()]);
  const urls = routes.map((port) => `"nats://127.0.0.1:${port}"`);
  return await Promise.all(
    routes.map((port, index) => {
      const cluster = `cluster { name: three, listen: "127.0.0.1:${port}", routes: [${urls.join(", ")}] }`;
      return JetStream.start({ t, lines: [`server_name: s${index}`, cluster] });
    }),
  );
}

function memberOf(servers: readonly JetStream[], member: string) {
  const urls = servers.map(({ url }) => url);
  return natsEngine({ ...settingsOf(urls, member), replicas: 3 });
}

/** The same as `connected`, with the time that three servers take to find each other on a busy machine. */
function joined(engine: Engine, t: Cleanup): Promise<Member> {
  return connected(engine, t, 2 * WITHIN_MS);
}

/** Finds the leader of a stream, by its index. */
async function leaderOf(server: JetStream, stream: string): Promise<number> {
  const connection = await connect({ servers: server.url });
  try {
    return await until(async () => {
      const info = await connection.request(`$JS.API.STREAM.INFO.${stream}`).catch(() => undefined);
      const name = info?.json<{ cluster?: { leader?: string } }>().cluster?.leader;
      return name === undefined ? undefined : [0, 1, 2].find((index) => name === `s${index}`)?.toString();
    }).then(Number);
  } finally {
    await connection.close();
  }
}

test("of many claims at three servers, one is won", skip, async (t) => {
  const servers = await startThree(t);
  const members = await Promise.all(
    [0, 1, 2, 0, 1, 2].map((at, index) => joined(memberOf(servers.slice(at, at + 1), `m${index}`), t)),
  );
  for (let after = 0, round = 0; round < 200; round++) {
    const claims = members.map(({ engine }, index) =>
      engine.claim({ bucket: "owner", key: "u", value: bytes(String(index)), after }, WITHIN_MS),
    );
    const won = (await Promise.all(claims)).filter((result) => result !== "lost");
    assert.equal(won.length, 1);
    after = Number(won[0]);
  }
});

test("a bucket that has as many keys as it may takes new values of them", skip, async (t) => {
  const servers = await startThree(t);
  const members = await Promise.all([0, 1, 2].map((at) => joined(memberOf(servers.slice(at), `m${at}`), t)));
  const claim = (n: number, value: string, after: number) =>
    (members[n % 3] as Member).engine.claim({ bucket: "claims", key: `k${n}`, value: bytes(value), after }, WITHIN_MS);
  const made = await Promise.all(Array.from({ length: 4 * CLAIMS_MAX }, (_, n) => claim(n, "open", 0)));
  const revisions = [...made.entries()].filter(([, revision]) => revision !== "full");
  assert.ok(revisions.length >= CLAIMS_MAX && revisions.length < 1.5 * CLAIMS_MAX, made.join());
  assert.equal(await claim(4 * CLAIMS_MAX, "one more", 0), "full");
  const ends = await Promise.all(revisions.map(([n, revision]) => claim(n, "ended", Number(revision))));
  for (const end of ends) assert.equal(typeof end, "number");
});

for (const fault of ["killed", "stopped"] as const) {
  test(`a leader that is ${fault} costs the others no contact, and no log an entry`, skip, async (t) => {
    const servers = await startThree(t);
    const first = await joined(memberOf(servers, "first"), t);
    await first.engine.openLog("log", LIMITS, WITHIN_MS);
    await first.engine.keep("meta", "k", bytes("1"), WITHIN_MS);
    const at = await leaderOf(servers[0] as JetStream, logStream(settingsOf([], ""), "log"));
    await leaderOf(servers[0] as JetStream, bucketStream(settingsOf([], ""), "owner"));
    const leader = servers[at] as JetStream;
    const others = servers.filter((server) => server !== leader);

    const hit = await joined(memberOf([leader, ...others], "hit"), t);
    const one = await joined(memberOf(others.slice(0, 1), "one"), t);
    const other = await joined(memberOf(others.slice(1), "other"), t);
    const heard: number[] = [];
    other.engine.onBeat((beat) => text(beat) === "one" && heard.push(performance.now()));
    other.engine.answer("a", (request, send) => {
      send(request, true);
      return { more: () => {}, end: () => {} };
    });
    await listens(other);
    const beating = setInterval(() => one.engine.beat(bytes("one")), 20);
    t.after(() => clearInterval(beating));
    await until(() => heard.length > 2, { what: "beats" });

    if (fault === "killed") await leader.kill();
    else await leader.pause();
    const from = performance.now();
    const written: Promise<number>[] = [];
    for (let n = 0; n < 20; n++) {
      const append = async (): Promise<number> => {
        const result = await one.engine.append("log", `id-${n}`, bytes(String(n)), 1_000).catch(() => undefined);
        return result ?? (await append());
      };
      written.push(append());
      assert.equal(await ask(one.engine, "a", "hello").over(), "last");
    }
    const sequences = await bounded(Promise.all(written), { within: WITHIN_MS, what: "all entries" });
    const tookMs = performance.now() - from;
    const pauses = heard.slice(1).map((at, index) => at - (heard[index] ?? 0));
    t.diagnostic(`writes stood still for ${Math.round(tookMs)} ms, beats for ${Math.round(Math.max(...pauses))} ms`);
    assert.ok(Math.max(...pauses) < 500, `beats stood still for ${Math.max(...pauses)} ms`);
    assert.deepEqual([one.contacts, other.contacts], [[true], [true]]);
    assert.equal(new Set(sequences).size, 20);
    assert.deepEqual((await other.engine.openLog("log", LIMITS, WITHIN_MS)).last, 20);
    const read: string[] = [];
    for (let next = await other.engine.next("log", 0, 5_000); next; ) {
      read.push(text(next.entry));
      next = await other.engine.next("log", next.seq, 5_000);
    }
    assert.equal(new Set(read).size, 20);
    await until(() => hit.contacts.at(-1) === true, { what: "the return of who was connected to the leader" });
    assert.equal(
      typeof (await hit.engine.claim({ bucket: "owner", key: "u", value: bytes("1"), after: 0 }, WITHIN_MS)),
      "number",
    );
  });
}

test("a log is the same one whichever server leads it, also after each has restarted", skip, async (t) => {
  const servers = await startThree(t);
  const first = await joined(memberOf(servers, "first"), t);
  const others = await Promise.all(["second", "third"].map((name) => joined(memberOf(servers, name), t)));
  const { engine } = first;
  /** The server that the engine is connected to may be away. */
  const opened = (by = engine) =>
    until(() => by.openLog("log", LIMITS, 2_000).catch(() => undefined), { within: WITHIN_MS, what: "the log" });
  const [{ life }, ...lives] = await Promise.all([opened(), ...others.map((other) => opened(other.engine))]);
  assert.deepEqual(
    lives.map((other) => other.life),
    [life, life],
  );
  await engine.append("log", "id", bytes("1"), WITHIN_MS);
  const stream = logStream(settingsOf([], ""), "log");
  const leaders = new Set<number>();
  for (const server of servers.slice(0, 2)) {
    const at = await leaderOf(server, stream);
    leaders.add(at);
    for (const other of servers.filter((_, index) => index !== at)) {
      await other.kill();
      await other.start();
      assert.equal((await opened()).life, life);
    }
    const leader = servers[at] as JetStream;
    await leader.kill();
    assert.deepEqual(await opened(), { life, first: 1, last: 1 });
    await leader.start();
  }
  assert.equal(leaders.size, 2);
});
