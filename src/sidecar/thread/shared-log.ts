/** The log of an upstream that replicas share: its owner appends to it, and each replica makes its journals of it. */

import { createHash } from "node:crypto";
import { type Engine, EngineError, type LogState, logLimits, Mistake, UNKNOWN_LIFE } from "../../cluster/engine.ts";
import { decodeBatch, encodeBatch } from "../../cluster/log-entries.ts";
import type { UpstreamSettings } from "../../config/schema.ts";
import type { LogBatch } from "../../core/cluster/log-batch.ts";
import { LogDoubt } from "../../core/cluster/log-doubt.ts";
import { type FoldEffect, LogFold } from "../../core/cluster/log-fold.ts";
import { type LogAppend, LogWriter } from "../../core/cluster/log-writer.ts";
import type { ReadPlaces } from "../../core/cluster/read-places.ts";
import { Absence } from "../../core/messages/absence.ts";
import { type GapDetails, MAIN_JOURNAL, type MessageKind } from "../../core/messages/journal.ts";
import type { UpstreamRequest } from "../../core/messages/upstream-requests.ts";
import type { ClusterCounts } from "../../core/tally.ts";
import type { Body } from "../../protocols/protocol.ts";
import { Alarm } from "../alarm.ts";
import { READ_HOLD_MS, type ReadCommand } from "../contract.ts";
import { newEpoch } from "../new-epoch.ts";
import type { Journals, MessageWriter } from "./journals.ts";
import type { Work } from "./mark.ts";

export interface LogEnvironment {
  now(): number;
  readonly work: Work;
  readonly tally: ClusterCounts;
  /** The places that all logs of this member have in common. */
  readonly readPlaces: ReadPlaces;
  /** A text for the log alone. */
  report(text: string): void;
  /** Hands on a read that can be answered. */
  read(command: ReadCommand): void;
  /** Ends a read that must not be answered: the log could not be read. */
  unread(seq: number): void;
  /** `hasRead` has become true. */
  onRead(): void;
}

/** Our own term. */
interface OwnTerm {
  number: number;
  /** Set once the log has been read up to here since it began. */
  readonly needs: number;
  /** When somebody last heard the upstream, and when we did first, by the wall clock; undefined before that. */
  silence: { readonly from: number; readonly at: number } | undefined;
  /** True if the log was made anew meanwhile: its subscriptions have no journals there. */
  readonly isAnew: boolean;
  /** Its number when it was begun in the log; undefined before that. */
  begun: number | undefined;
}

interface HeldRead {
  readonly command: ReadCommand;
  readonly needs: number;
  readonly until: number;
}

/** Without a hint, the log is read this often, in milliseconds. */
const POLL_MS = 1_000;
/** The pause after a failed reading, and while a server lags behind. */
const RETRY_MS = 250;
const BEHIND_MS = 30;
/** The log is compared with what we have of it this often: it may have been made anew. */
const COMPARE_MS = 5_000;
/** The same, while a reader is ahead of it. */
const AHEAD_MS = 200;
/** The time of each call to the message server. */
const WITHIN_MS = 2_000;
/** A failure that goes on for this long is told. */
const PATIENCE_MS = 5_000;
/** Somebody has removed the records of owners, whose revisions are the terms, and not the log. */
const OUTDATED = "it has newer terms than the cluster's records of owners, so it takes no messages: delete its stream";
/** Preliminary numbers of messages are above all others. */
const FIRST_TAG = 2 ** 40;
const TAGGED_MAX = 10_000;

/** Takes what this replica's connection brings while it owns the upstream, and drops what comes otherwise. */
export class SharedLog implements MessageWriter {
  readonly #name: string;
  readonly #engine: Engine;
  readonly #env: LogEnvironment;
  #settings: UpstreamSettings;
  readonly #writer: LogWriter;
  readonly #fold = new LogFold();
  readonly #alarm: Alarm;
  #journals: Journals | undefined;
  #onPlaced: (journal: string, tag: number, seq: number) => void = () => {};
  /** The journals that this replica knows of, and the time without a connection of each. */
  readonly #absences = new Map<string, Absence>();
  #term: OwnTerm | undefined;
  /** The newest term in the log is ours. */
  #isOurs = false;
  #heardAt = 0;
  /** The requests of the upstream's own among our messages that are not folded yet, by tag. */
  readonly #tagged = new Map<number, UpstreamRequest | undefined>();
  #lastTag = FIRST_TAG;
  readonly #held = new Map<number, HeldRead>();
  /** The newest entry that is known to be in the log. */
  #known = 0;
  /** The comparisons of the log: their number, the last that was made, and the last up to which it has been read. */
  #comparisons = 0;
  #compared = 0;
  #readUpTo = 0;
  #compareAt = 0;
  #compareTo = 0;
  /** The log has less than we read. */
  readonly #doubt = new LogDoubt();
  /** The log has less than a reader knows, who may have it from another replica, or from a log that lost it. */
  readonly #endDoubt = new LogDoubt();
  /** No server has known of more for so long that a cursor behind the end stands for nothing. */
  #isEndSure = false;
  /** The digest of the newest entry that was read: the entry itself may be large, and is counted nowhere. */
  #newest: string | undefined;
  #wake: (() => void) | undefined;
  #hasGrown = false;
  #hasEnded = false;
  #stopHints: (() => void) | undefined;
  #onStored: (() => void) | undefined;
  #reported: string | undefined;
  #failingSince: number | undefined;

  constructor(name: string, settings: UpstreamSettings, engine: Engine, env: LogEnvironment) {
    this.#name = name;
    this.#settings = settings;
    this.#engine = engine;
    this.#env = env;
    this.#writer = new LogWriter(settings.messages);
    this.#alarm = new Alarm(env.now, () => env.work(() => this.#expire(), undefined));
  }

  /** @param onPlaced called once the message of a preliminary number has its own */
  attach(journals: Journals, onPlaced: (journal: string, tag: number, seq: number) => void): void {
    this.#journals = journals;
    this.#onPlaced = onPlaced;
  }

  /** Begins to read the log. */
  start(): void {
    this.#stopHints = this.#engine.onGrown(this.#name, (seq) => {
      if (Number.isSafeInteger(seq)) this.#known = Math.max(this.#known, seq);
      this.#look();
    });
    void this.#readOn();
  }

  reconfigure(settings: UpstreamSettings): void {
    this.#settings = settings;
    this.#writer.resize(settings.messages);
  }

  /** True once the log has been read to its end. */
  get hasRead(): boolean {
    return this.#readUpTo > 0;
  }

  /** Entries that are known and not read yet. */
  get lag(): number {
    return Math.max(0, this.#known - this.#fold.position);
  }

  /** Messages and gaps that are not known to be stored. */
  get unstored(): number {
    return this.#writer.unstored;
  }

  /** Stops. What has not been stored is lost. */
  end(): void {
    if (this.#hasEnded) return;
    this.resign();
    this.#hasEnded = true;
    this.#stopHints?.();
    this.#held.clear();
    this.#alarm.clear();
    this.#wake?.();
  }

  // Ownership.

  /** Somebody heard the upstream at this time of the wall clock. */
  heard(at: number): void {
    this.#heardAt = Math.max(this.#heardAt, at);
  }

  /** This replica owns the upstream from here on, or goes on to under another number. */
  own(number: number): void {
    if (this.#term) {
      this.#term.number = number;
      this.#writer.renew(number);
      return;
    }
    this.#term = { number, needs: this.#compare(), silence: undefined, isAnew: false, begun: undefined };
    this.#writer.gather();
    for (const name of this.#absences.keys()) this.#openOwn(name);
  }

  /** Another replica may write from here on. */
  resign(): void {
    if (!this.#term) return;
    const { unstored } = this;
    if (unstored > 0) this.#env.report(`${unstored} messages and gaps may not have been stored in the cluster's log`);
    this.#term = undefined;
    this.#writer.end();
    this.#tagged.clear();
    this.#onStored?.();
  }

  /** Waits until everything is stored, or the time has passed. */
  async flush(withinMs: number): Promise<void> {
    if (this.unstored === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.#onStored = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #openOwn(name: string): void {
    this.#absences.set(name, new Absence());
    if (name !== MAIN_JOURNAL) this.#send(this.#writer.open(name, newEpoch(), this.#env.now()));
  }

  // The messages of our own connection.

  open(name: string): void {
    this.#absences.set(name, new Absence());
    if (this.#term) this.#openOwn(name);
  }

  remove(name: string): void {
    this.#absences.delete(name);
    if (this.#term) this.#send(this.#writer.close(name, this.#env.now()));
  }

  append(name: string, data: Body, kind: MessageKind, request?: UpstreamRequest, tracked = false): number | undefined {
    const absence = this.#absences.get(name);
    if (!this.#hear() || !absence) return undefined;
    if (!absence.isResuming) this.back(name);
    const tag = request || tracked ? this.#newTag(request) : undefined;
    this.#send(this.#writer.append(name, Date.now(), kind, data, this.#env.now(), tag));
    return tag;
  }

  away(why: string): void {
    for (const absence of this.#absences.values()) absence.begin(Date.now(), why);
  }

  handedOver(why: string): void {
    for (const [name, absence] of this.#absences) if (name !== MAIN_JOURNAL) absence.begin(Date.now(), why);
  }

  still(name: string, why: string): void {
    const absence = this.#absences.get(name);
    if (!absence || !this.#hear()) return;
    const now = Date.now();
    // An earlier owner was subscribed: the gap before our term ends where that began.
    const isKnown = this.#fold.places.some((place) => place.name === name && place.next > 1);
    if (isKnown) absence.assume(this.#term?.silence?.at ?? now, why);
    absence.begin(now, why);
    this.#gap(name, absence.split(now, why));
  }

  missed(name: string, why: string): void {
    this.back(name);
    this.#gap(name, { dropped: null, reason: "overflow", why });
  }

  resuming(name: string, on: boolean): void {
    this.#absences.get(name)?.resume(on);
  }

  back(name: string, filled?: boolean): void {
    if (this.#hear()) this.#gap(name, this.#absences.get(name)?.end(Date.now(), filled));
  }

  #gap(name: string, gap: GapDetails | undefined): void {
    if (gap && this.#hear()) this.#send(this.#writer.gap(name, Date.now(), gap, this.#env.now()));
  }

  #newTag(request: UpstreamRequest | undefined): number {
    const tag = ++this.#lastTag;
    this.#tagged.set(tag, request);
    if (this.#tagged.size > TAGGED_MAX) this.#tagged.delete(this.#tagged.keys().next().value as number);
    return tag;
  }

  /** The connection is there: our term begins, at the latest. @returns false if this replica owns nothing */
  #hear(): boolean {
    const term = this.#term;
    if (!term) return false;
    if (!term.silence) {
      const at = Date.now();
      term.silence = { from: Math.min(at, this.#heardAt || at), at };
      this.#begin(term);
    }
    return true;
  }

  /**
   * Begins our term in the log, once that has been read to its end and the upstream is heard: there the gap before it
   * ends. A log that holds nothing is begun at once, so that it can be read.
   */
  #begin(term: OwnTerm): void {
    if (term.begun !== undefined || this.#readUpTo < term.needs) return;
    const { epoch } = this.#fold;
    if (epoch !== undefined && !term.silence) return;
    const { from, at } = term.silence ?? { from: Date.now(), at: Date.now() };
    term.begun = term.number;
    const life = { from, at, why: "another replica connected" };
    this.#send(
      this.#writer.begin(
        term.number,
        { epoch: epoch ?? newEpoch(), isNew: epoch === undefined },
        life,
        this.#env.now(),
      ),
    );
  }

  #send(append: LogAppend | undefined): void {
    this.#alarm.set(this.#writer.wakeAt);
    if (this.#onStored && this.#writer.unstored === 0) this.#onStored();
    if (!append) return;
    const stored = (seq: number) => {
      if (this.#failingSince !== undefined) this.#reported = undefined;
      this.#failingSince = undefined;
      this.#known = Math.max(this.#known, seq);
      this.#look();
      this.#send(this.#writer.appended(append.id, this.#env.now()));
    };
    this.#engine.append(this.#name, append.id, encodeBatch(append.batch), append.withinMs).then(
      (seq) => this.#env.work(stored, seq),
      // The writer wants it again, until the term ends.
      (error: Error) => {
        this.#failingSince ??= this.#env.now();
        if (this.#env.now() - this.#failingSince > PATIENCE_MS) this.#tell(`nothing can be stored: ${error.message}`);
        else this.#onFailed(error);
      },
    );
  }

  #expire(): void {
    const now = this.#env.now();
    this.#send(this.#writer.tick(now));
    for (const [seq, { until }] of this.#held) {
      if (now < until) break;
      this.#held.delete(seq);
      this.#env.unread(seq);
    }
    this.#setAlarm();
  }

  #setAlarm(): void {
    const [first] = this.#held.values();
    this.#alarm.set(first?.until);
  }

  // Reads.

  /** Hands the read on, once this replica has what the reader may know of. */
  read(command: ReadCommand): void {
    const { after } = command;
    const newest = this.#journals?.newestOf(command.journal);
    const isOfOther = typeof after !== "string" && after.epoch !== newest?.epoch;
    if (this.hasRead && newest && !isOfOther && !this.#isAhead(command)) {
      this.#env.read(command);
      return;
    }
    this.#held.set(command.seq, { command, needs: this.#compare(), until: this.#env.now() + READ_HOLD_MS });
    this.#setAlarm();
  }

  cancelRead(seq: number): void {
    this.#held.delete(seq);
  }

  /** True for a cursor of this epoch that is not known here: another replica may have given it out. */
  #isAhead({ journal, after }: ReadCommand): boolean {
    const newest = this.#journals?.newestOf(journal);
    return typeof after !== "string" && after.epoch === newest?.epoch && after.seq > newest.seq;
  }

  #release(): void {
    // The log was lost. A cursor of it is neither ahead nor known until there is a new epoch, which expires it.
    if (this.#fold.epoch === undefined) return;
    for (const [seq, { command, needs }] of this.#held) {
      if (this.#readUpTo < needs || !this.#journals?.newestOf(command.journal)) continue;
      // A leader that was stopped, and others replaced meanwhile, names an end of the log that it no longer has.
      if (!this.#isEndSure && this.#isAhead(command)) continue;
      this.#held.delete(seq);
      this.#env.read(command);
    }
  }

  // The log.

  /** Asks for the log to be compared. @returns the number that `#readUpTo` has after it */
  #compare(): number {
    this.#compareAt = 0;
    this.#look();
    return this.#comparisons + 1;
  }

  #look(): void {
    this.#hasGrown = true;
    this.#wake?.();
  }

  async #readOn(): Promise<void> {
    while (!this.#hasEnded) {
      this.#hasGrown = false;
      const pauseMs = await this.#readOne().catch((error: Error) => {
        this.#onFailed(error);
        this.#compareAt = 0;
        this.#doubt.failed(this.#env.now());
        this.#endDoubt.failed(this.#env.now());
        return RETRY_MS;
      });
      if (pauseMs > 0 && (!this.#hasGrown || pauseMs === RETRY_MS)) await this.#pause(pauseMs);
    }
  }

  /** A call that failed is made again; a mistake of configuration must be told. */
  #onFailed(error: Error): void {
    const mayPass = error instanceof EngineError && !(error instanceof Mistake);
    if (!mayPass && !this.#hasEnded) this.#tell(error.message);
  }

  /** Reports the same text once in a row. */
  #tell(text: string): void {
    if (text !== this.#reported) this.#env.report(`the cluster's log: ${text}`);
    this.#reported = text;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** @returns the time until the next reading, in milliseconds */
  async #readOne(): Promise<number> {
    if (this.#env.now() >= this.#compareAt && !(await this.#compareNow())) return BEHIND_MS;
    const compared = this.#compared;
    if ((await this.#readAhead()) || this.#hasEnded) return 0;
    // A server that answers may have less of the log than its leader.
    if (this.#fold.position < this.#compareTo) return BEHIND_MS;
    this.#env.work(() => this.#onEnd(compared), undefined);
    if (this.#held.size === 0) return POLL_MS;
    this.#compareAt = Math.min(this.#compareAt, this.#env.now() + AHEAD_MS);
    return AHEAD_MS;
  }

  /**
   * Reads what is known to be there, many entries at a time.
   * @returns true if there was an entry
   * @throws Error if the first cannot be read
   */
  async #readAhead(): Promise<boolean> {
    const { position } = this.#fold;
    const { readPlaces } = this.#env;
    const beside = readPlaces.take(Math.max(0, this.#known - position - 1));
    const next = (_: unknown, n: number) => this.#engine.next(this.#name, position + n, WITHIN_MS);
    const reads = Array.from({ length: 1 + beside }, next);
    // One that fails behind others is read again.
    void Promise.allSettled(reads).then(() => readPlaces.give(beside));
    for (const [n, read] of reads.entries()) {
      const entry = await (n === 0 ? read : read.catch(() => undefined));
      // Not to be passed over: a server that has less may have been asked for it, and another one for the next.
      if (this.#hasEnded || !entry) return n > 0;
      if (entry.seq <= this.#fold.position) continue;
      this.#env.work(() => this.#take(entry.seq, entry.entry), undefined);
      // The log is to be read again from elsewhere.
      if (this.#fold.position !== entry.seq) return true;
    }
    return true;
  }

  /** @returns false as long as it is in doubt whether the log is the one that was read: then nothing more is read */
  async #compareNow(): Promise<boolean> {
    this.#compareAt = this.#env.now() + COMPARE_MS;
    const comparison = ++this.#comparisons;
    const state = await this.#engine.openLog(this.#name, logLimits(this.#settings.messages), WITHIN_MS);
    const isKept = await this.#isKept(state);
    if (this.#hasEnded) return true;
    if (isKept === undefined) {
      this.#compareAt = 0;
      return false;
    }
    const { life, first, last } = state;
    this.#compared = comparison;
    this.#checkEnd(first > last ? 0 : last);
    if (this.#fold.found(life, isKept ? Math.max(last, this.#fold.position) : 0)) this.#onOther();
    else this.#known = Math.max(this.#known, this.#compareTo);
    return true;
  }

  /** The log was found to end here, which is in doubt for a while if there are readers ahead of it. */
  #checkEnd(end: number): void {
    if (end !== this.#compareTo) this.#endDoubt.end();
    this.#compareTo = end;
    const isAhead = [...this.#held.values()].some(({ command }) => this.#isAhead(command));
    this.#isEndSure = isAhead && this.#endDoubt.lasts(this.#env.now());
  }

  /** @returns true if the log has what was read of it, undefined as long as that may turn out */
  async #isKept({ life, last }: LogState): Promise<boolean | undefined> {
    const { position } = this.#fold;
    // Two members that make it at the same time may each see a life of their own at first.
    const isOther = this.#fold.life !== undefined && life !== this.#fold.life;
    const hasLess = isOther || last < position;
    if (!hasLess && life !== UNKNOWN_LIFE && !this.#doubt.isOpen) return true;
    const isKept = await this.#hasNewest(hasLess);
    const isLost = isOther && last < position;
    if (isKept === undefined && !isLost && !this.#doubt.lasts(this.#env.now())) return undefined;
    this.#doubt.end();
    if (isKept && isOther) this.#fold.adopt(life);
    return isKept === true;
  }

  /**
   * Any server may be asked. The log may have lost entries, and have got others since.
   * @returns undefined if the server lacks the newest
   */
  async #hasNewest(hasLess: boolean): Promise<boolean | undefined> {
    const { position } = this.#fold;
    if (position === 0) return true;
    const entry = await this.#engine.next(this.#name, position - 1, WITHIN_MS);
    // The log has more by now, and has forgotten ours to make room.
    if (entry && entry.seq > position && !hasLess) return true;
    return entry && entry.seq === position && digestOf(entry.entry) === this.#newest;
  }

  /** The log is another one, or less of it: our term begins in it again. */
  #onOther(): void {
    this.#known = this.#compareTo;
    this.#isOurs = false;
    const term = this.#term;
    if (!term) return;
    const silence = term.silence && { from: Date.now(), at: Date.now() };
    this.#term = { number: term.number, needs: this.#compared, silence, isAnew: true, begun: undefined };
  }

  #onEnd(compared: number): void {
    const isFirst = this.#readUpTo === 0;
    this.#readUpTo = compared;
    if (this.#term) this.#begin(this.#term);
    this.#release();
    if (isFirst) this.#env.onRead();
  }

  #take(seq: number, bytes: Uint8Array): void {
    this.#newest = digestOf(bytes);
    const { holes, ignored } = this.#fold.counts;
    const batch = this.#batchOf(bytes);
    for (const effect of this.#fold.take(seq, batch)) this.#carryOut(effect);
    this.#env.tally.holes += this.#fold.counts.holes - holes;
    const isRefused = this.#fold.counts.ignored > ignored && batch.life && batch.term === this.#term?.begun;
    if (isRefused) this.#tell(OUTDATED);
    this.#release();
  }

  /** An entry that cannot be read counts as one of a term that has ended. */
  #batchOf(bytes: Uint8Array): LogBatch {
    try {
      return decodeBatch(bytes);
    } catch (error) {
      this.#tell((error as Error).message);
      return { term: -1, epoch: "", journals: [], items: [], closed: [] };
    }
  }

  #carryOut(effect: FoldEffect): void {
    const journals = this.#journals;
    switch (effect.type) {
      case "restart":
        this.#isOurs = false;
        journals?.clear();
        break;
      case "open":
        journals?.begin(effect.place.name, effect.place.epoch, effect.place.next);
        break;
      case "close":
        journals?.remove(effect.journal);
        break;
      case "message":
        this.#addMessage(effect);
        break;
      case "gap":
        journals?.add(effect.journal, effect.number, effect);
        break;
      case "life":
        this.#isOurs = effect.term === this.#term?.begun;
        if (this.#isOurs) this.#onBegun(effect.epoch);
    }
  }

  #addMessage({ journal, number, tag, ...message }: FoldEffect & { readonly type: "message" }): void {
    this.heard(message.at);
    const isTagged = tag !== undefined && this.#isOurs;
    this.#journals?.add(journal, number, { ...message, request: isTagged ? this.#tagged.get(tag) : undefined });
    if (!isTagged) return;
    this.#onPlaced(journal, tag, number);
    this.#tagged.delete(tag);
  }

  /** Our term has begun. A subscription that only its former owner had ends here. */
  #onBegun(epoch: string): void {
    const now = this.#env.now();
    const { places } = this.#fold;
    this.#send(this.#writer.reached(epoch, places, now));
    if (this.#term?.isAnew) this.#openLost(now);
    const isOurs = (name: string) => this.#absences.has(name) || Object.hasOwn(this.#settings.subscriptions, name);
    for (const { name } of places) if (!isOurs(name)) this.#send(this.#writer.close(name, now));
  }

  #openLost(now: number): void {
    const known = new Set(this.#fold.places.map(({ name }) => name));
    for (const name of this.#absences.keys())
      if (name !== MAIN_JOURNAL && !known.has(name)) this.#send(this.#writer.open(name, newEpoch(), now));
  }
}

function digestOf(entry: Uint8Array): string {
  return createHash("sha256").update(entry).digest("base64");
}
