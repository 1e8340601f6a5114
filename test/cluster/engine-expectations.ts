/** The expectations of every engine: one list, run against each. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { type Engine, EngineError, type EngineSettings } from "../../src/cluster/engine.ts";
import { bounded, type Cleanup, until } from "../support/until.ts";

const WITHIN_MS = 2_000;
/** The time for the first contact with servers that were there before. */
const CONNECT_MS = 10_000;
export const MESSAGE_BYTES = 8 * 1024 * 1024;
export const CLAIMS_MAX = 20;

/** A message server with engines. */
export interface Bus {
  join(member: string): Engine;
  lose(): Promise<void>;
  recover(): Promise<void>;
}

/** An engine with what it has told. */
export interface Member {
  readonly engine: Engine;
  readonly contacts: readonly boolean[];
  readonly faults: readonly Error[];
}

export function settingsOf(servers: readonly string[], member: string): EngineSettings {
  const claims = { claimsMs: 60_000, claimsMax: CLAIMS_MAX };
  const kept = { ...claims, keptMs: 60_000, keptBytes: 32 * 1024 * 1024, messageBytes: MESSAGE_BYTES };
  return { servers, cluster: "c-1", member, replicas: 1, ...kept };
}

/** Connects an engine, which ends with the test. */
export async function connected(engine: Engine, t: Cleanup, within = CONNECT_MS): Promise<Member> {
  const contacts: boolean[] = [];
  const faults: Error[] = [];
  t.after(() => engine.end(0));
  await bounded(
    engine.connect({ contact: (isThere) => contacts.push(isThere), fault: (error) => faults.push(error) }),
    { within, what: () => `the first contact: ${faults}` },
  );
  return { engine, contacts, faults };
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Resolves once the server knows what a member has subscribed to. */
export async function listens({ engine }: Member): Promise<void> {
  await engine.look("meta", "none", WITHIN_MS);
}

/** Asks and collects what comes, as text, until it is over. */
export function ask(engine: Engine, address: string, request: Uint8Array | string) {
  const heard: string[] = [];
  let over: (how: string) => void = () => {};
  const end = new Promise<string>((resolve) => {
    over = resolve;
  });
  const open = engine.ask(address, typeof request === "string" ? bytes(request) : request, {
    answer: (answer, isLast) => {
      heard.push(answer.length > 100 ? `${answer.length} bytes` : text(answer));
      if (isLast) over("last");
    },
    nobody: () => over("nobody"),
    lost: () => over("lost"),
  });
  return { ...open, heard, over: () => bounded(end, { what: `an end of the request, heard ${heard}` }) };
}

export function expectEngine(
  name: string,
  options: { readonly skip: string | false },
  start: (t: Cleanup) => Promise<Bus>,
): void {
  describe(`the engine over ${name}`, options, () => {
    const two = async (t: Cleanup) => {
      const bus = await start(t);
      const one = await connected(bus.join("one"), t);
      const other = await connected(bus.join("other"), t);
      return { bus, one, other };
    };

    test("a beat reaches all members, its sender too", async (t) => {
      const { one, other } = await two(t);
      const heard: string[] = [];
      one.engine.onBeat((beat) => heard.push(`one ${text(beat)}`));
      other.engine.onBeat((beat) => heard.push(`other ${text(beat)}`));
      await Promise.all([listens(one), listens(other)]);
      one.engine.beat(bytes("a"));
      other.engine.beat(bytes("b"));
      await until(() => heard.length === 4, { what: () => `four beats: ${heard}` });
      assert.deepEqual(heard.sort(), ["one a", "one b", "other a", "other b"]);
      assert.deepEqual(one.contacts, [true]);
    });

    test("a request is answered in parts, and more of it can follow", async (t) => {
      const { one, other } = await two(t);
      const heard: string[] = [];
      other.engine.answer("a1", (request, send) => {
        heard.push(text(request));
        send(bytes("first"), false);
        return {
          more: (message) => {
            heard.push(text(message));
            send(bytes("last"), true);
            send(bytes("too late"), true);
          },
          end: () => heard.push("end"),
        };
      });
      await listens(other);
      const asked = ask(one.engine, "a1", "hello");
      asked.more(bytes("more"));
      assert.equal(await asked.over(), "last");
      asked.end();
      asked.more(bytes("not sent"));
      assert.deepEqual(asked.heard, ["first", "last"]);
      assert.deepEqual(heard, ["hello", "more"]);
      assert.equal(await ask(one.engine, "a2", "hello").over(), "nobody");
    });

    test("an asker that leaves is reported to the member that answers, and hears nothing more", async (t) => {
      const { one, other } = await two(t);
      let send: (answer: Uint8Array, isLast: boolean) => void = () => {};
      let ends = 0;
      other.engine.answer("a1", (_request, given) => {
        send = given;
        send(bytes("first"), false);
        return { more: () => {}, end: () => ends++ };
      });
      await listens(other);
      const asked = ask(one.engine, "a1", "hello");
      await until(() => asked.heard.length === 1, { what: "the first answer" });
      asked.end();
      await until(() => ends === 1, { what: "the end" });
      send(bytes("too late"), true);
      other.engine.answer("a2", (_request, send) => {
        send(bytes("now"), true);
        return { more: () => {}, end: () => {} };
      });
      await listens(other);
      assert.equal(await ask(one.engine, "a2", "").over(), "last");
      assert.deepEqual(asked.heard, ["first"]);
    });

    test("an address that is given up takes no request, and goes on with those that are open", async (t) => {
      const { one, other } = await two(t);
      let taken = 0;
      const stop = other.engine.answer("a1", (_request, send) => {
        taken += 1;
        return { more: (message) => send(message, true), end: () => {} };
      });
      await listens(other);
      const asked = ask(one.engine, "a1", "hello");
      await until(() => taken === 1, { what: "the request" });
      stop();
      await listens(other);
      assert.equal(await ask(one.engine, "a1", "second").over(), "nobody");
      asked.more(bytes("third"));
      assert.equal(await asked.over(), "last");
      assert.deepEqual(asked.heard, ["third"]);
      await listens(other);
      assert.equal(await ask(one.engine, "a1", "fourth").over(), "nobody");
      assert.equal(taken, 1);
    });

    test("no request is left without an end while its address is given up, or its engine ends", async (t) => {
      const { one, other } = await two(t);
      const answered = async (address: string, giveUp: (stop: () => void) => unknown) => {
        let taken = 0;
        const stop = other.engine.answer(address, (_request, send) => {
          taken += 1;
          if (taken === 1) queueMicrotask(() => giveUp(stop));
          send(bytes("here"), true);
          return { more: () => {}, end: () => {} };
        });
        await listens(other);
        const asked = Array.from({ length: 200 }, () => ask(one.engine, address, "hello"));
        return new Set(await Promise.all(asked.map((each) => each.over())));
      };
      for (let round = 0; round < 5; round++) {
        const ends = await answered(`a${round}`, (stop) => stop());
        assert.ok(ends.has("last") && !ends.has("lost"), [...ends].join(" "));
      }
      other.engine.answer("silent", () => ({ more: () => {}, end: () => {} }));
      await listens(other);
      const silent = ask(one.engine, "silent", "hello");
      const last = await answered("last", () => void other.engine.end(WITHIN_MS));
      assert.ok(last.has("last"), [...last].join(" "));
      assert.equal(await silent.over(), "lost");
    });

    test("messages of 5 MB pass in both directions, and those that are too long are refused", async (t) => {
      const { one, other } = await two(t);
      const long = randomBytes(5 * 1024 * 1024);
      other.engine.answer("a1", (request, send) => {
        assert.throws(() => send(new Uint8Array(MESSAGE_BYTES + 1), true), EngineError);
        send(request, false);
        return { more: (message) => send(message, true), end: () => {} };
      });
      await listens(other);
      const answers: Uint8Array[] = [];
      const asked = one.engine.ask("a1", long, {
        answer: (answer) => answers.push(answer),
        nobody: () => assert.fail(),
        lost: () => assert.fail(),
      });
      await until(() => answers.length === 1, { what: () => `the first answer: ${[...one.faults, ...other.faults]}` });
      asked.more(long.subarray(1));
      await until(() => answers.length === 2, { what: "the second answer" });
      assert.ok(long.equals(answers[0] ?? bytes("")) && long.subarray(1).equals(answers[1] ?? bytes("")));
      assert.throws(
        () => one.engine.ask("a1", new Uint8Array(MESSAGE_BYTES + 1), { answer() {}, nobody() {}, lost() {} }),
        {
          mayBeDone: false,
        },
      );
      assert.deepEqual([...one.faults, ...other.faults], []);
    });

    test("a claim is won by whoever knows the newest revision", async (t) => {
      const { one, other } = await two(t);
      const claim = ({ engine }: Member, value: string | undefined, after: number) =>
        engine.claim(
          { bucket: "owner", key: "up-1", value: value === undefined ? value : bytes(value), after },
          WITHIN_MS,
        );
      const look = async () => {
        const found = await other.engine.look("owner", "up-1", WITHIN_MS);
        return found && [text(found.value), found.revision];
      };
      assert.equal(await look(), undefined);
      const first = Number(await claim(one, "first", 0));
      assert.equal(await claim(other, "second", 0), "lost");
      assert.deepEqual(await look(), ["first", first]);
      const second = Number(await claim(other, "second", first));
      assert.ok(second > first);
      assert.equal(await claim(one, "third", first), "lost");
      assert.equal(await claim(one, undefined, first), "lost");
      const deleted = Number(await claim(one, undefined, second));
      assert.ok(deleted > second);
      assert.equal(await look(), undefined);
      const again = Number(await claim(one, "again", 0));
      assert.ok(again > deleted);
      assert.equal(await claim(other, "again", 0), "lost");
      assert.deepEqual(await look(), ["again", again]);
    });

    test("of many claims at a time, one is won", async (t) => {
      const { one, other } = await two(t);
      for (let after = 0, round = 0; round < 20; round++) {
        const claims = [one, other].flatMap(({ engine }, member) =>
          [1, 2, 3].map((n) =>
            engine.claim({ bucket: "owner", key: "u", value: bytes(`${member}${n}`), after }, WITHIN_MS),
          ),
        );
        const won = (await Promise.all(claims)).filter((result) => result !== "lost");
        assert.equal(won.length, 1);
        after = Number(won[0]);
      }
    });

    test("claims beyond the bound are refused, and those that are there go on", async (t) => {
      const { one, other } = await two(t);
      const claim = ({ engine }: Member, key: string, after: number) =>
        engine.claim({ bucket: "claims", key, value: bytes(key.repeat(after === 0 ? 1 : 9)), after }, WITHIN_MS);
      const keys = Array.from({ length: 2 * CLAIMS_MAX }, (_, index) => `up-1.k${index}`);
      const revisions = await Promise.all(keys.map((key) => claim(one, key, 0)));
      const areMade = revisions.map((revision) => typeof revision === "number");
      assert.deepEqual(
        areMade,
        keys.map((_, index) => index < CLAIMS_MAX),
        `${revisions}`,
      );
      assert.equal(await claim(other, "up-1.more", 0), "full");
      assert.equal(await claim(other, "up-1.k0", 0), "lost");
      assert.equal(typeof (await claim(other, "up-1.k0", Number(revisions[0]))), "number");
      assert.equal(await one.engine.look("claims", "up-1.more", WITHIN_MS), undefined);
    });

    test("values of any length are kept, replaced and listed", async (t) => {
      const { one, other } = await two(t);
      const long = randomBytes(2 * 1024 * 1024 + 1);
      await one.engine.keep("kept", "id-1", bytes("short"), WITHIN_MS);
      await one.engine.keep("kept", "id-1", long, WITHIN_MS);
      const found = await other.engine.look("kept", "id-1", WITHIN_MS);
      assert.ok(found && long.equals(found.value));
      const claim = { bucket: "kept", key: "id-1", value: new Uint8Array(), after: found.revision } as const;
      assert.notEqual(await other.engine.claim(claim, WITHIN_MS), "lost");
      assert.deepEqual((await one.engine.look("kept", "id-1", WITHIN_MS))?.value, new Uint8Array());
      await assert.rejects(one.engine.keep("kept", "x", new Uint8Array(MESSAGE_BYTES + 1), WITHIN_MS), EngineError);
      assert.equal(await one.engine.look("kept", "x", WITHIN_MS), undefined);
      for (const key of ["sub.a.1", "sub.a.2", "sub.ab.1", "sub.b.1"])
        await one.engine.keep("meta", key, bytes(key), WITHIN_MS);
      assert.deepEqual([...(await other.engine.keys("meta", "sub.a.", WITHIN_MS))].sort(), ["sub.a.1", "sub.a.2"]);
      assert.equal((await other.engine.keys("meta", "", WITHIN_MS)).length, 4);
      assert.deepEqual(await other.engine.keys("owner", "", WITHIN_MS), []);
    });

    test("a log is read in order, and an id that comes twice is appended once", async (t) => {
      const { one, other } = await two(t);
      const limits = { bytes: 1024 * 1024 };
      const { life, ...empty } = await one.engine.openLog("up-1", limits, WITHIN_MS);
      assert.deepEqual(empty, { first: 1, last: 0 });
      const grown: number[] = [];
      const stop = other.engine.onGrown("up-1", (seq) => grown.push(seq));
      await listens(other);
      const append = (id: string) => one.engine.append("up-1", id, bytes(id), WITHIN_MS);
      assert.deepEqual(await Promise.all([append("e-1"), append("e-2"), append("e-1")]), [1, 2, 1]);
      await until(() => grown.length === 2, { what: () => `two hints: ${grown}` });
      stop();
      await listens(other);
      assert.equal(await append("e-3"), 3);
      const read: string[] = [];
      for (let next = await other.engine.next("up-1", 0, WITHIN_MS); next; ) {
        read.push(`${next.seq} ${text(next.entry)}`);
        next = await other.engine.next("up-1", next.seq, WITHIN_MS);
      }
      assert.deepEqual(read, ["1 e-1", "2 e-2", "3 e-3"]);
      assert.deepEqual(grown, [1, 2]);
      assert.deepEqual(await other.engine.openLog("up-1", limits, WITHIN_MS), { life, first: 1, last: 3 });
      await assert.rejects(one.engine.append("up-1", "long", new Uint8Array(1024 * 1024), WITHIN_MS), EngineError);
    });

    test("an exception in a callback is a fault, and nobody goes deaf", async (t) => {
      const { one, other } = await two(t);
      const failing = () => {
        throw new Error("on purpose");
      };
      other.engine.onBeat(failing);
      other.engine.answer("a1", failing);
      other.engine.onGrown("log", failing);
      await one.engine.openLog("log", { bytes: 1024 * 1024 }, WITHIN_MS);
      await listens(other);
      one.engine.beat(bytes("beat"));
      await one.engine.append("log", "1", bytes("entry"), WITHIN_MS);
      assert.equal(await ask(one.engine, "a1", "hello").over(), "lost");
      await until(() => other.faults.length === 3, { what: () => `three faults: ${other.faults}` });
      other.engine.answer("a2", (request, send) => {
        send(request, true);
        return { more: failing, end: failing };
      });
      await listens(other);
      assert.equal(await ask(one.engine, "a2", "hello").over(), "last");
      assert.deepEqual(new Set(other.faults.map(({ message }) => message)), new Set(["on purpose"]));
    });

    test("a server that is lost fails what waits and what comes, and all is as before when it is back", async (t) => {
      const { bus, one, other } = await two(t);
      other.engine.answer("a1", (request, send) => {
        send(request, true);
        return { more: () => {}, end: () => {} };
      });
      const heard: string[] = [];
      other.engine.onBeat((beat) => heard.push(text(beat)));
      await one.engine.openLog("log", { bytes: 1024 * 1024 }, WITHIN_MS);
      await bus.lose();
      one.engine.beat(bytes("dropped"));
      await until(() => one.contacts.length === 2 && other.contacts.length === 2, { what: "the loss" });
      const isNotDone = { mayBeDone: false };
      one.engine.beat(bytes("dropped"));
      await assert.rejects(one.engine.look("owner", "u", WITHIN_MS), isNotDone);
      await assert.rejects(one.engine.append("log", "1", bytes("entry"), WITHIN_MS), isNotDone);
      await assert.rejects(
        one.engine.claim({ bucket: "owner", key: "u", value: bytes(""), after: 0 }, WITHIN_MS),
        isNotDone,
      );
      assert.equal(await ask(one.engine, "a1", "hello").over(), "nobody");
      await bus.recover();
      await until(() => one.contacts.length === 3 && other.contacts.length === 3, { what: "the return" });
      assert.deepEqual(one.contacts, [true, false, true]);
      assert.equal(await ask(one.engine, "a1", "hello").over(), "last");
      one.engine.beat(bytes("beat"));
      await until(() => heard.length > 0, { what: "a beat" });
      assert.deepEqual(heard, ["beat"]);
      assert.equal(await one.engine.append("log", "1", bytes("entry"), WITHIN_MS), 1);
    });

    test("an engine that has ended takes no calls, and ends again", async (t) => {
      const { one, other } = await two(t);
      one.engine.answer("a1", () => ({ more: () => {}, end: () => {} }));
      const heard: string[] = [];
      other.engine.onBeat((beat) => heard.push(text(beat)));
      await listens(other);
      one.engine.beat(bytes("release"));
      await one.engine.end(1_000);
      await one.engine.end(1_000);
      await until(() => heard.length === 1, { what: "the last beat" });
      await assert.rejects(one.engine.look("owner", "u", WITHIN_MS), { mayBeDone: false });
      assert.equal(await ask(other.engine, "a1", "hello").over(), "nobody");
      one.engine.beat(bytes("too late"));
      other.engine.beat(bytes("later"));
      await until(() => heard.length === 2, { what: "a beat" });
      assert.deepEqual(heard, ["release", "later"]);
      assert.deepEqual(one.contacts, [true]);
    });
  });
}
