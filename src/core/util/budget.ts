/** The budget of memory: an account for each kind of bytes that callers and upstreams can make the process hold. */

/**
 * The owners of bytes, each with the largest part of the limit that it may hold.
 * - `bodies`: bodies of HTTP requests, while they arrive.
 * - `in_flight`: messages whose outcome is awaited.
 * - `answers`: replies and parts of replies, until their callers have taken them.
 * - `pages`: pages of messages, until their readers have taken them.
 * - `journals`: messages that are kept to be read.
 * - `kept`: replies that are kept to be fetched.
 *
 * The parts add up to more than the whole: which kind of load there is cannot be known. What they leave of it is for
 * the others, so that no kind of load can take everything.
 */
const PART = { bodies: 0.5, in_flight: 0.5, answers: 0.5, pages: 0.25, journals: 0.25, kept: 0.125 } as const;

export type Account = keyof typeof PART;

export const ACCOUNTS = Object.keys(PART) as readonly Account[];

/** Steps of refusal under pressure, each from a higher part of the limit on, and including the ones before. */
const PRESSURE = { streams: 0.6, bodies: 0.75, everything: 0.9, ready: 0.95 } as const;

export type PressureStep = keyof typeof PRESSURE;

/** The steps in their order. */
export const REFUSALS = Object.keys(PRESSURE) as readonly PressureStep[];

/** Messages up to this size pass until `everything` is refused: a few large ones must not keep all small ones out. */
export const SMALL_BYTES = 64 * 1024;

/** The part of the memory of the process that the budget is by default: the rest is for copies, code and garbage. */
const DEFAULT_PART = 0.25;

/** The limit of the budget. @param present the memory that the process may use, in bytes */
export function memoryOf({ memory }: { readonly memory: number | "auto" }, present: number): number {
  return memory === "auto" ? Math.floor(present * DEFAULT_PART) : memory;
}

/** The columns of a side: its total, and the accounts. */
const COLUMNS = 1 + ACCOUNTS.length;
const COLUMN = Object.fromEntries(ACCOUNTS.map((account, index) => [account, index + 1])) as Record<Account, number>;

/** The memory of all sides of a budget. It may cross between threads, which share it. */
export interface BudgetMemory {
  readonly limit: number;
  /** A row for each side, which it alone writes: so nothing is atomic, and taking bytes costs two additions. */
  readonly cells: Float64Array;
}

export function budgetMemory(limit: number, sides: number): BudgetMemory {
  const bytes = sides * COLUMNS * Float64Array.BYTES_PER_ELEMENT;
  return { limit, cells: new Float64Array(new SharedArrayBuffer(bytes)) };
}

/** The number of sides: the host, and two for each thread. */
export function sidesFor(threads: number): number {
  return 1 + 2 * threads;
}

/** The sides of a thread: the thread itself, and the host, which counts what it has taken over from the thread. */
export function sidesOfThread(index: number): { readonly thread: number; readonly takenOver: number } {
  return { thread: 1 + 2 * index, takenOver: 2 + 2 * index };
}

/**
 * One side's view of the budget. Whoever takes bytes gives them back, or hands them over to another side: then that
 * side gives them, in a row of its own, and only the sum of both rows counts.
 */
export class Budget {
  readonly limit: number;
  readonly #cells: Float64Array;
  readonly #row: number;
  #turnedAway = 0;

  constructor({ limit, cells }: BudgetMemory, side = 0) {
    this.limit = limit;
    this.#cells = cells;
    this.#row = side * COLUMNS;
  }

  /** A budget that only this side uses. */
  static alone(limit = Number.POSITIVE_INFINITY): Budget {
    return new Budget(budgetMemory(limit, 1));
  }

  take(account: Account, bytes: number): void {
    const cells = this.#cells;
    cells[this.#row] = (cells[this.#row] as number) + bytes;
    const at = this.#row + COLUMN[account];
    cells[at] = (cells[at] as number) + bytes;
  }

  give(account: Account, bytes: number): void {
    this.take(account, -bytes);
  }

  /** Everything that this side holds is gone. */
  clear(): void {
    this.#cells.fill(0, this.#row, this.#row + COLUMNS);
  }

  /** The bytes that all sides hold. */
  get held(): number {
    return this.#sum(0);
  }

  heldBy(account: Account): number {
    return this.#sum(COLUMN[account]);
  }

  /** The most bytes that the account may hold. */
  partOf(account: Account): number {
    return this.limit * PART[account];
  }

  /** True under so much pressure that this is refused. */
  refuses(what: PressureStep): boolean {
    return this.held >= this.limit * PRESSURE[what];
  }

  /** True if the account may hold so many bytes more of a message of this size. If not, the message is counted. */
  hasRoomFor(account: Account, bytes: number, size = bytes): boolean {
    const hasRoom = this.#hasRoomFor(account, bytes, size);
    if (!hasRoom) this.#turnedAway++;
    return hasRoom;
  }

  /** The number of messages that this side has found no room for. */
  get turnedAway(): number {
    return this.#turnedAway;
  }

  #hasRoomFor(account: Account, bytes: number, size: number): boolean {
    const after = this.held + bytes;
    if (size <= SMALL_BYTES) return after <= this.limit * PRESSURE.everything;
    return after <= this.limit * PRESSURE.bodies && this.heldBy(account) + bytes <= this.partOf(account);
  }

  /** True if the account may hold so many bytes more. What is alone in its account always may, so that all get on. */
  allows(account: Account, bytes: number): boolean {
    const present = this.heldBy(account);
    if (present <= 0) return true;
    return present + bytes <= this.partOf(account) && this.held + bytes <= this.limit;
  }

  #sum(column: number): number {
    const cells = this.#cells;
    let total = 0;
    for (let at = column; at < cells.length; at += COLUMNS) total += cells[at] as number;
    return total;
  }
}
