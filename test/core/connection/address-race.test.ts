/** The race between a host's addresses: tables of RFC 8305, and properties over arbitrary networks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Address,
  type Family,
  newRace,
  type RaceInput,
  stepRace,
} from "../../../src/core/connection/address-race.ts";

/** A network: what each family's query answers and when, and what becomes of a try at each address. */
interface World {
  readonly withinMs: number;
  readonly answers: readonly {
    readonly at: number;
    readonly families: readonly Family[];
    readonly addresses: readonly Address[];
  }[];
  /** The time that a try takes to connect or to fail; never if it is missing. */
  readonly fates: ReadonlyMap<Address, { readonly ms: number; readonly connects: boolean }>;
}

interface Run {
  readonly tries: readonly { readonly at: number; readonly address: Address }[];
  readonly end: { readonly at: number; readonly won: Address | undefined } | undefined;
}

/** Runs a race in virtual time, until it ends or its bound is over. */
function run({ withinMs, answers, fates }: World): Run {
  let race = newRace(withinMs, { ipv6_wait: 50, next_after: 250 }, 0);
  const tries: Run["tries"][number][] = [];
  let end: Run["end"];
  let timer: number | undefined;
  const events: { readonly at: number; readonly input: RaceInput }[] = answers.map(({ at, families, addresses }) => ({
    at,
    input: { type: "answered", families, addresses },
  }));
  for (;;) {
    events.sort((one, other) => one.at - other.at);
    const isTimer = timer !== undefined && timer <= (events[0]?.at ?? Number.POSITIVE_INFINITY);
    const next = isTimer ? { at: timer ?? 0, input: { type: "timer" } as const } : events.shift();
    if (isTimer) timer = undefined;
    if (next === undefined || next.at > withinMs) return { tries, end };
    const { race: after, effects } = stepRace(race, next.input, next.at);
    race = after;
    for (const effect of effects) {
      assert.equal(end, undefined, "nothing follows the end");
      if (effect.type === "timer") timer = effect.ms === undefined ? undefined : next.at + effect.ms;
      else if (effect.type === "try") {
        const { address } = effect;
        tries.push({ at: next.at, address });
        const fate = fates.get(address);
        const type = fate?.connects ? "connected" : "failed";
        if (fate) events.push({ at: next.at + fate.ms, input: { type, address } });
      } else end = { at: next.at, won: effect.type === "won" ? effect.address : undefined };
    }
  }
}

const four = (n: number): Address => ({ address: `192.0.2.${n}`, family: 4 });
const six = (n: number): Address => ({ address: `2001:db8::${n}`, family: 6 });
const shown = ({ tries }: Run): string => tries.map(({ at, address }) => `${at} ${address.address}`).join(", ");

test("the families take turns, IPv6 first, a quarter of a second apart", () => {
  const answers = [
    { at: 5, families: [6], addresses: [six(1), six(2)] },
    { at: 10, families: [4], addresses: [four(1), four(2)] },
  ] as const;
  const ran = run({ withinMs: 10_000, answers, fates: new Map() });
  assert.equal(shown(ran), "5 2001:db8::1, 255 192.0.2.1, 505 2001:db8::2, 755 192.0.2.2");
  assert.equal(ran.end, undefined, "tries without an end are not lost");
});

test("IPv4 waits 50 ms for the answer of IPv6, and no longer", () => {
  const known4 = { at: 5, families: [4], addresses: [four(1)] } as const;
  const within = (at: number) => ({ at, families: [6], addresses: [six(1)] }) as const;
  const shownWith = (...answers: World["answers"]) => shown(run({ withinMs: 10_000, answers, fates: new Map() }));
  assert.equal(shownWith(known4, within(30)), "30 2001:db8::1, 280 192.0.2.1");
  assert.equal(shownWith(known4), "55 192.0.2.1");
  assert.equal(shownWith(known4, within(200)), "55 192.0.2.1, 305 2001:db8::1");
  assert.equal(shownWith(known4, { at: 20, families: [6], addresses: [] }), "20 192.0.2.1");
});

test("addresses that come late shorten the pause that has begun", () => {
  const sixteen = Array.from({ length: 16 }, (_, n) => n);
  const answers = [
    { at: 49, families: [4], addresses: sixteen.map(four) },
    { at: 90, families: [6], addresses: sixteen.map(six) },
  ] as const;
  const { tries } = run({ withinMs: 400, answers, fates: new Map() });
  assert.deepEqual([tries[1]?.at, tries[2]?.at, tries.length], [90, 100, 32]);
});

test("a failure lets the next address begin at once, and the last failure ends the race", () => {
  const answers = [{ at: 0, families: [4, 6], addresses: [four(1), four(2), six(1)] }] as const;
  const refused = { ms: 1, connects: false };
  const [one, two, three] = answers[0].addresses;
  const ran = run({ withinMs: 10_000, answers, fates: new Map([one, two, three].map((each) => [each, refused])) });
  assert.equal(shown(ran), "0 192.0.2.1, 1 2001:db8::1, 2 192.0.2.2");
  assert.deepEqual(ran.end, { at: 3, won: undefined });
});

test("a slow handshake is not given up for the next address", () => {
  const addresses = [four(1), four(2)] as const;
  const fates = new Map([[addresses[0], { ms: 1_000, connects: true }]]);
  const ran = run({ withinMs: 10_000, answers: [{ at: 0, families: [4, 6], addresses }], fates });
  assert.deepEqual(ran.end, { at: 1_000, won: addresses[0] });
});

test("a name without any address is lost with the last answer", () => {
  const answers = [
    { at: 3, families: [4], addresses: [] },
    { at: 9, families: [6], addresses: [] },
  ] as const;
  assert.deepEqual(run({ withinMs: 10_000, answers, fates: new Map() }).end, { at: 9, won: undefined });
});

const world = fc
  .record({
    // At least what 32 tries need that are 10 ms apart, after an answer at 100 ms.
    withinMs: fc.integer({ min: 440, max: 20_000 }),
    at4: fc.integer({ min: 0, max: 100 }),
    at6: fc.option(fc.integer({ min: 0, max: 100 }), { nil: undefined }),
    count4: fc.integer({ min: 0, max: 20 }),
    count6: fc.integer({ min: 0, max: 20 }),
    fates: fc.array(
      fc.option(fc.record({ ms: fc.integer({ min: 0, max: 5_000 }), connects: fc.boolean() }), { nil: undefined }),
      { minLength: 40, maxLength: 40 },
    ),
  })
  .map(({ withinMs, at4, at6, count4, count6, fates }): World => {
    const of4 = Array.from({ length: count4 }, (_, n) => four(n));
    const of6 = Array.from({ length: count6 }, (_, n) => six(n));
    const fated = [...of4, ...of6].flatMap((address, n) => (fates[n] ? [[address, fates[n]] as const] : []));
    const answered6 = at6 === undefined ? [] : [{ at: at6, families: [6] as const, addresses: of6 }];
    return { withinMs, answers: [{ at: at4, families: [4], addresses: of4 }, ...answered6], fates: new Map(fated) };
  });

test("every address has its try within the bound unless another wins, each once, at most sixteen of a family", () => {
  fc.assert(
    fc.property(world, (given) => {
      const { tries, end } = run(given);
      assert.equal(new Set(tries.map(({ address }) => address)).size, tries.length);
      for (const family of [4, 6] as const) {
        const known = given.answers.find(({ families }) => families.includes(family))?.addresses.length ?? 0;
        const tried = tries.filter(({ address }) => address.family === family).length;
        assert.ok(tried <= 16);
        if (!end?.won) assert.equal(tried, Math.min(16, known), "every known address is tried");
      }
    }),
    { numRuns: 2_000 },
  );
});

test("the first try to connect wins, and nothing is lost while a try or an answer is outstanding", () => {
  fc.assert(
    fc.property(world, (given) => {
      const { tries, end } = run(given);
      const ends = tries.map(({ at, address }) => {
        const fate = given.fates.get(address);
        return { at: at + (fate?.ms ?? Number.POSITIVE_INFINITY), connects: fate?.connects ?? false };
      });
      const connected = Math.min(...ends.filter(({ connects }) => connects).map(({ at }) => at));
      if (connected <= given.withinMs) assert.equal(end?.at, connected);
      else if (end) assert.ok(given.answers.length === 2 && ends.every(({ at }) => at <= end.at));
    }),
    { numRuns: 2_000 },
  );
});

test("tries are a tenth of the bound or 250 ms apart, unless one has failed or many addresses share the time", () => {
  fc.assert(
    fc.property(world, (given) => {
      const { tries } = run({ ...given, fates: new Map() });
      const pause = Math.min(250, given.withinMs / 10, given.withinMs / 45);
      for (const [index, { at }] of tries.entries()) {
        const before = tries[index - 1]?.at;
        if (before !== undefined) assert.ok(at - before >= Math.max(8, pause), `${at - before} ms`);
      }
    }),
    { numRuns: 500 },
  );
});
