/** A message server in memory behind the port of an engine: deterministic, without timers, and with faults. */
import { Buffer } from "node:buffer";
import {
  type AskEvents,
  type Bucket,
  type Claim,
  type Claimed,
  ENTRY_BYTES,
  type Engine,
  EngineError,
  type EngineEvents,
  type LogEntry,
  type LogLimits,
  type LogState,
  type OpenAsk,
  type Stored,
  type TakeRequest,
} from "../../src/cluster/engine.ts";

/** Runs each delivery later, in order: a simulation passes its own and decides when, and to which member. */
type Schedule = (deliver: () => void, to: string) => void;

export interface MemoryOptions {
  /** By default each delivery is a microtask. */
  readonly schedule?: Schedule;
  readonly messageBytes?: number;
  readonly claimsMax?: number;
}

interface Log {
  readonly life: string;
  readonly entries: LogEntry[];
  readonly ids: Map<string, number>;
  last: number;
}

type Values = Map<string, Stored>;

interface Answering {
  readonly member: MemoryEngine;
  readonly take: TakeRequest;
}

export class MemoryServer {
  readonly schedule: Schedule;
  readonly messageBytes: number;
  readonly #claimsMax: number;
  readonly members = new Map<string, MemoryEngine>();
  readonly addresses = new Map<string, Answering>();
  readonly #buckets = new Map<Bucket, Values>();
  readonly #logs = new Map<string, Log>();
  #revision = 0;
  #lives = 0;
  #isUp = true;

  constructor({
    schedule = (deliver) => queueMicrotask(deliver),
    messageBytes = 64 * 1024 * 1024,
    claimsMax = 10_000,
  }: MemoryOptions = {}) {
    this.#claimsMax = claimsMax;
    this.schedule = schedule;
    this.messageBytes = messageBytes;
  }

  /** Makes the engine of a member. */
  join(member: string): MemoryEngine {
    const engine = new MemoryEngine(member, this);
    this.members.set(member, engine);
    return engine;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Loses the server for all. With `isEmpty`, buckets and logs are gone when it is back. */
  stop({ isEmpty = false } = {}): void {
    this.#isUp = false;
    for (const member of this.members.values()) member.checkContact();
    if (!isEmpty) return;
    this.#buckets.clear();
    this.#logs.clear();
  }

  start(): void {
    this.#isUp = true;
    for (const member of this.members.values()) member.checkContact();
  }

  valuesIn(bucket: Bucket): Values {
    const values = this.#buckets.get(bucket) ?? new Map();
    this.#buckets.set(bucket, values);
    return values;
  }

  /** Forgets a value, as a server does whose time or room for it is over. */
  forget(bucket: Bucket, key: string): void {
    this.valuesIn(bucket).delete(key);
  }

  write({ bucket, key, value }: Omit<Claim, "after">): number {
    this.#revision += 1;
    const values = this.valuesIn(bucket);
    if (value === undefined) values.delete(key);
    else values.set(key, { value: copy(value), revision: this.#revision });
    return this.#revision;
  }

  claim(claim: Claim): Claimed {
    const values = this.valuesIn(claim.bucket);
    const newest = values.get(claim.key)?.revision ?? 0;
    if (newest !== claim.after) return "lost";
    const isFull = claim.bucket === "claims" && newest === 0 && values.size >= this.#claimsMax;
    return isFull ? "full" : this.write(claim);
  }

  openLog(name: string): Log {
    const log = this.#logs.get(name) ?? { life: `life${++this.#lives}`, entries: [], ids: new Map(), last: 0 };
    this.#logs.set(name, log);
    return log;
  }

  logOf(name: string): Log {
    const log = this.#logs.get(name);
    if (!log) throw new EngineError(`there is no log ${name}: open it`, { mayBeDone: false });
    return log;
  }

  /** Drops all but the newest entries of a log, as a server does whose room for it is full. */
  trim(name: string, kept: number): void {
    const { entries } = this.logOf(name);
    entries.splice(0, Math.max(0, entries.length - kept));
  }

  /** Loses the newest entries of a log, as a server does that had not written them to its disk. */
  lose(name: string, count: number): void {
    const log = this.logOf(name);
    log.last -= log.entries.splice(-count).length;
    for (const [id, seq] of log.ids) if (seq > log.last) log.ids.delete(id);
  }

  append(name: string, id: string, entry: Uint8Array): number {
    const log = this.logOf(name);
    const known = log.ids.get(id);
    if (known !== undefined) return known;
    log.last += 1;
    const seq = log.last;
    log.ids.set(id, seq);
    log.entries.push({ seq, entry: copy(entry) });
    for (const member of this.members.values()) member.hearGrown(name, seq);
    return seq;
  }
}

export class MemoryEngine implements Engine {
  readonly member: string;
  readonly #server: MemoryServer;
  #events: EngineEvents | undefined;
  #connected: (() => void) | undefined;
  #isThere = false;
  #isEnded = false;
  #cut: "no" | "unnoticed" | "noticed" = "no";
  #losing = 0;
  #hearBeat: ((beat: Uint8Array) => void) | undefined;
  readonly #grown = new Map<string, Set<(seq: number) => void>>();
  /** Requests of others that have not been answered, with what ends them. */
  readonly #unanswered = new Set<() => void>();
  /** The calls that wait, with what fails them. */
  readonly #waiting = new Set<(error: Error) => void>();

  constructor(member: string, server: MemoryServer) {
    this.member = member;
    this.#server = server;
  }

  /** The server believes that this member is there. */
  get isKnown(): boolean {
    return this.#isThere;
  }

  /** Cuts this member off. Unless it is noticed, neither the member nor the server knows: messages just vanish. */
  cut({ isNoticed = true } = {}): void {
    this.#cut = isNoticed ? "noticed" : "unnoticed";
    this.checkContact();
  }

  heal(): void {
    this.#cut = "no";
    this.checkContact();
  }

  /** Lets the next calls be done, and loses their results. */
  loseResults(count = 1): void {
    this.#losing = count;
  }

  checkContact(): void {
    const isThere = this.#events !== undefined && !this.#isEnded && this.#server.isUp && this.#cut !== "noticed";
    if (isThere === this.#isThere) return;
    this.#isThere = isThere;
    if (!isThere) this.#failAll("the server was lost");
    this.#deliver(() => {
      this.#events?.contact(isThere);
      if (isThere) this.#connected?.();
    });
  }

  connect(events: EngineEvents): Promise<void> {
    this.#events = events;
    return new Promise((resolve) => {
      this.#connected = resolve;
      this.checkContact();
    });
  }

  beat(beat: Uint8Array): void {
    if (!this.#reaches()) return;
    const bytes = copy(beat);
    for (const member of this.#server.members.values()) member.hearBeat(bytes);
  }

  onBeat(hear: (beat: Uint8Array) => void): void {
    this.#hearBeat = hear;
  }

  hearBeat(beat: Uint8Array): void {
    this.#receive(() => this.#hearBeat?.(beat));
  }

  ask(address: string, request: Uint8Array, on: AskEvents): OpenAsk {
    this.#checkLength(request);
    const bytes = copy(request);
    let isOpen = true;
    let taken: ReturnType<TakeRequest> | undefined;
    let by: MemoryEngine | undefined;
    const close = () => {
      isOpen = false;
      if (by) by.#unanswered.delete(giveUp);
    };
    const giveUp = () => end("lost");
    const toAsker = (run: () => void) => this.#receive(() => isOpen && run());
    const answer = (from: MemoryEngine) => (bytes: Uint8Array, isLast: boolean) => {
      from.#checkLength(bytes);
      if (!isOpen || !from.#reaches()) return;
      const copied = copy(bytes);
      toAsker(() => {
        if (isLast) close();
        on.answer(copied, isLast);
      });
    };
    const end = (how: "nobody" | "lost") =>
      toAsker(() => {
        close();
        on[how]();
      });
    const arrive = () => {
      const answering = this.#server.addresses.get(address);
      if (!answering?.member.isKnown) return end("nobody");
      by = answering.member;
      by.#unanswered.add(giveUp);
      answering.member.#receive(() => {
        try {
          taken = answering.take(bytes, answer(answering.member));
        } catch (error) {
          end("lost");
          throw error;
        }
      });
    };
    if (this.#isThere) this.#server.schedule(() => this.#reaches() && arrive(), this.member);
    else this.#deliver(() => isOpen && on.nobody());
    const send = (run: () => void) => {
      if (!isOpen || !this.#reaches()) return;
      this.#server.schedule(() => {
        if (by?.isKnown) by.#receive(run);
        else if (by) end("lost");
      }, this.member);
    };
    return {
      more: (message) => {
        this.#checkLength(message);
        const copied = copy(message);
        send(() => taken?.more(copied));
      },
      end: () => {
        send(() => taken?.end());
        close();
      },
    };
  }

  answer(address: string, take: TakeRequest): () => void {
    const answering: Answering = { member: this, take };
    this.#server.addresses.set(address, answering);
    return () => {
      if (this.#server.addresses.get(address) === answering) this.#server.addresses.delete(address);
    };
  }

  claim(claim: Claim, _withinMs: number): Promise<Claimed> {
    if (claim.value) this.#checkLength(claim.value);
    return this.#call(() => this.#server.claim(claim));
  }

  look(bucket: Bucket, key: string, _withinMs: number): Promise<Stored | undefined> {
    return this.#call(() => this.#server.valuesIn(bucket).get(key));
  }

  async keep(bucket: Bucket, key: string, value: Uint8Array, _withinMs: number): Promise<void> {
    this.#checkLength(value);
    await this.#call(() => this.#server.write({ bucket, key, value }));
  }

  keys(bucket: Bucket, prefix: string, _withinMs: number): Promise<readonly string[]> {
    return this.#call(() => [...this.#server.valuesIn(bucket).keys()].filter((key) => key.startsWith(prefix)));
  }

  openLog(log: string, _limits: LogLimits, _withinMs: number): Promise<LogState> {
    return this.#call(() => {
      const { life, entries, last } = this.#server.openLog(log);
      return { life, first: entries[0]?.seq ?? last + 1, last };
    });
  }

  async append(log: string, id: string, entry: Uint8Array, _withinMs: number): Promise<number> {
    if (entry.length > ENTRY_BYTES) throw tooLong(entry, ENTRY_BYTES);
    return this.#call(() => this.#server.append(log, id, entry));
  }

  next(log: string, after: number, _withinMs: number): Promise<LogEntry | undefined> {
    return this.#call(() => this.#server.logOf(log).entries.find(({ seq }) => seq > after));
  }

  onGrown(log: string, grown: (seq: number) => void): () => void {
    const all = this.#grown.get(log) ?? new Set();
    this.#grown.set(log, all);
    all.add(grown);
    return () => all.delete(grown);
  }

  hearGrown(log: string, seq: number): void {
    for (const grown of this.#grown.get(log) ?? []) this.#receive(() => grown(seq));
  }

  async end(_withinMs: number): Promise<void> {
    for (const giveUp of this.#unanswered) giveUp();
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#isThere = false;
    this.#failAll("the engine has ended");
  }

  /** A message of this member gets to the server. */
  #reaches(): boolean {
    return this.#isThere && this.#cut === "no";
  }

  /** Delivers something to this member, if it is there when it arrives. */
  #receive(run: () => void): void {
    this.#deliver(() => this.#reaches() && run());
  }

  #deliver(run: () => void): void {
    this.#server.schedule(() => {
      try {
        run();
      } catch (error) {
        this.#events?.fault(error instanceof Error ? error : new Error(String(error)));
      }
    }, this.member);
  }

  #call<Result>(run: () => Result): Promise<Result> {
    if (!this.#isThere) return Promise.reject(new EngineError("the server is not there", { mayBeDone: false }));
    return new Promise<Result>((resolve, reject) => {
      const fail = (error: Error) => {
        this.#waiting.delete(fail);
        reject(error);
      };
      this.#waiting.add(fail);
      if (!this.#reaches()) return;
      this.#server.schedule(() => {
        if (!this.#reaches()) return;
        let result: Result;
        try {
          result = run();
        } catch (error) {
          return this.#receive(() => fail(error as Error));
        }
        if (this.#losing > 0) {
          this.#losing -= 1;
          return this.#receive(() => fail(new EngineError("no result came in time", { mayBeDone: true })));
        }
        this.#receive(() => {
          this.#waiting.delete(fail);
          resolve(result);
        });
      }, this.member);
    });
  }

  #failAll(why: string): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const fail of waiting) fail(new EngineError(why, { mayBeDone: true }));
  }

  #checkLength(bytes: Uint8Array): void {
    if (bytes.length > this.#server.messageBytes) throw tooLong(bytes, this.#server.messageBytes);
  }
}

function tooLong({ length }: Uint8Array, limit: number): EngineError {
  return new EngineError(`${length} bytes are more than the ${limit} of a message`, { mayBeDone: false });
}

function copy(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.from(bytes));
}
