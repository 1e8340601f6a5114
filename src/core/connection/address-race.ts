/** The race between the addresses of a host (RFC 8305, Happy Eyeballs), as a pure state machine. */

export type Family = 4 | 6;

export interface Address {
  readonly address: string;
  readonly family: Family;
}

/** A race between connection tries: one begins after another, none is given up before another has connected. */
export interface Race {
  readonly pauses: Pauses;
  readonly deadline: number;
  /** The families whose addresses are not known yet. */
  readonly awaited: readonly Family[];
  /** Every address that was ever known, so that none is tried twice. */
  readonly known: readonly Address[];
  readonly untried: readonly Address[];
  /** The family of the next try, if it has an untried address. */
  readonly turn: Family;
  readonly running: readonly Address[];
  /** The moment of the next try, once there is an address. */
  readonly nextAt: number | undefined;
  readonly isOver: boolean;
}

/** In milliseconds. */
export interface Pauses {
  /** For the addresses of IPv6, if those of IPv4 come first: the Resolution Delay of RFC 8305, 50 ms there. */
  readonly ipv6_wait: number;
  /** Between two tries, unless one fails: the Connection Attempt Delay of RFC 8305, 250 ms there. */
  readonly next_after: number;
}

export type RaceInput =
  /** All addresses of these families; none if there are none, or if they could not be found out. */
  | { readonly type: "answered"; readonly families: readonly Family[]; readonly addresses: readonly Address[] }
  | { readonly type: "connected"; readonly address: Address }
  | { readonly type: "failed"; readonly address: Address }
  | { readonly type: "timer" };

export type RaceEffect =
  | { readonly type: "try"; readonly address: Address }
  /** Set the one timer; undefined clears it. */
  | { readonly type: "timer"; readonly ms: number | undefined }
  /** The try at this address has connected: end all others. The last effect. */
  | { readonly type: "won"; readonly address: Address }
  /** There is no address, or none is left. The last effect. */
  | { readonly type: "lost" };

export interface RaceTransition {
  readonly race: Race;
  readonly effects: readonly RaceEffect[];
}

/** The shortest pause between two tries that RFC 8305 allows. */
const NEXT_AFTER_MIN_MS = 10;
/** The most addresses that are tried of each family: a name may have hundreds. */
const PER_FAMILY = 16;

/** @param withinMs the time for the whole race: with little of it, the pauses are shorter */
export function newRace(withinMs: number, { ipv6_wait, next_after }: Pauses, now: number): Race {
  return {
    pauses: { ipv6_wait: Math.min(ipv6_wait, withinMs / 20), next_after: Math.min(next_after, withinMs / 10) },
    deadline: now + withinMs,
    awaited: [4, 6],
    known: [],
    untried: [],
    turn: 6,
    running: [],
    nextAt: undefined,
    isOver: false,
  };
}

export function stepRace(race: Race, input: RaceInput, now: number): RaceTransition {
  if (race.isOver) return { race, effects: [] };
  switch (input.type) {
    case "answered":
      return advance(withAnswer(race, input.families, input.addresses, now), now);
    case "connected":
      return over(race, { type: "won", address: input.address });
    case "failed": {
      const running = race.running.filter((address) => address !== input.address);
      return advance({ ...race, running, nextAt: now }, now);
    }
    case "timer":
      return advance(race, now);
  }
}

function withAnswer(race: Race, families: readonly Family[], addresses: readonly Address[], now: number): Race {
  const awaited = race.awaited.filter((family) => !families.includes(family));
  const added: Address[] = [];
  for (const each of addresses) {
    const known = [...race.known, ...added].filter(({ family }) => family === each.family);
    if (known.length < PER_FAMILY && known.every(({ address }) => address !== each.address)) added.push(each);
  }
  // A source that knows both families, such as the hosts file, has its addresses in the order of preference.
  const turn = families.length > 1 ? (added[0]?.family ?? race.turn) : race.turn;
  const known = [...race.known, ...added];
  const hasTried = race.known.length > race.untried.length;
  const start = awaited.includes(6) ? (race.nextAt ?? now + race.pauses.ipv6_wait) : now;
  const untried = [...race.untried, ...added];
  const tried: Race = { ...race, awaited, known, untried, turn };
  if (!hasTried) return { ...tried, nextAt: known.length > 0 ? start : undefined };
  // More addresses share the time that is left: the pause that has begun is shortened as well.
  return { ...tried, nextAt: Math.min(race.nextAt ?? now, now + pauseBefore(untried.length, race, now)) };
}

/** Begins the try that is due, and sets the timer for the one after it. */
function advance(race: Race, now: number): RaceTransition {
  const { untried, nextAt = now } = race;
  const next = untried.find(({ family }) => family === race.turn) ?? untried[0];
  if (next === undefined) {
    if (race.running.length + race.awaited.length === 0) return over(race, { type: "lost" });
    return { race, effects: [{ type: "timer", ms: undefined }] };
  }
  if (now < nextAt) return { race, effects: [{ type: "timer", ms: Math.ceil(nextAt - now) }] };
  const left = untried.filter((address) => address !== next);
  const pause = pauseBefore(left.length, race, now);
  const tried: Race = {
    ...race,
    untried: left,
    turn: next.family === 6 ? 4 : 6,
    running: [...race.running, next],
    nextAt: now + pause,
  };
  return {
    race: tried,
    effects: [
      { type: "try", address: next },
      { type: "timer", ms: left.length > 0 ? pause : undefined },
    ],
  };
}

/** The pause before the next of `left` tries, so short that the last one still has its share of the time. */
function pauseBefore(left: number, { pauses, deadline }: Race, now: number): number {
  return Math.ceil(Math.max(NEXT_AFTER_MIN_MS, Math.min(pauses.next_after, (deadline - now) / (left + 1))));
}

function over(race: Race, last: RaceEffect): RaceTransition {
  return {
    race: { ...race, untried: [], running: [], isOver: true },
    effects: [{ type: "timer", ms: undefined }, last],
  };
}
