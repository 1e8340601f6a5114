/**
 * The connection to one of the equal NATS servers: renewed when it is lost, with guarded callbacks, and with one table
 * for all replies.
 *
 * An exception in a callback ends the reader of `@nats-io` for good, unnoticed, with a line on stdout: no callback goes
 * to it unguarded. Its own reconnecting is switched off, since it gives up, and keeps what is published meanwhile.
 */
import {
  type Msg,
  type NatsConnection,
  headers as newHeaders,
  PermissionViolationError,
  type Subscription,
} from "@nats-io/transport-node";
import pTimeout from "p-timeout";
import { TransientMap } from "../core/util/transient.ts";
import { EngineError, type EngineSettings, Mistake } from "./engine.ts";
import { DIAL_TIMEOUT_MS, dial, textOf } from "./nats-dial.ts";

const PAUSE_FROM_MS = 100;
const PAUSE_TO_MS = 1_000;
const REPORT_EVERY_MS = 60_000;
const REPORTS = 10;
/** The pause before a call is repeated that no server has taken in, because a log or bucket has no leader. */
const REPEAT_MS = 100;
/**
 * How long a call that can be repeated waits for its answer, at first and at most. A server that is stopped is still
 * asked by the others for a minute, for a part of what is read; one that elects a leader may not answer at all.
 */
const SILENCE_FROM_MS = 250;
const SILENCE_TO_MS = 1_000;
/** Waits are cut to what a timer can do. */
const LONGEST_WAIT_MS = 2 ** 31 - 1;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export type MessageHeaders = Readonly<Record<string, string>>;

/** A call that the server has refused, with its code. */
export class Refused extends EngineError {
  readonly code: number;

  constructor(message: string, code: number) {
    super(message, { mayBeDone: false });
    this.code = code;
  }
}

/** Nobody has taken the call in: there is no JetStream, no such log or bucket, or it has no leader now. */
class NoResponders extends EngineError {}

/** Nothing came in time: a server does not answer while it elects a leader. */
class Silence extends EngineError {}

export interface BusRequest {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers?: MessageHeaders | undefined;
  readonly withinMs: number;
  /** To do it twice does no harm. */
  readonly isRepeatable?: boolean;
}

export interface LinkEvents {
  /** Subjects that get an empty message at each connection, to learn of rights that are missing. */
  readonly probes: readonly string[];
  /** Called at each connection; the first counts only once it is prepared. @throws Mistake */
  prepare(): Promise<void>;
  contact(isThere: boolean): void;
  fault(error: Error): void;
}

interface BusListener {
  readonly subject: string;
  readonly take: (message: Msg) => void;
  subscription: Subscription | undefined;
}

/** Someone who waits for what comes to the inbox under a number. */
interface InboxEntry {
  readonly take: (message: Msg, isFollowUp: boolean) => void;
  readonly fail?: (error: EngineError) => void;
  readonly subject: string;
}

/** A connection that is in use. */
interface Current {
  readonly lost: Promise<void>;
}

export class NatsLink {
  readonly #settings: EngineSettings;
  readonly #events: LinkEvents;
  readonly #inbox: string;
  readonly #listeners = new Set<BusListener>();
  readonly #waiting = new TransientMap<number, InboxEntry>();
  #number = 0;
  #connection: NatsConnection | undefined;
  #isEnded = false;
  #hasContact = false;
  readonly #pauses = new Set<() => void>();
  /** The first right that this connection's server has refused. */
  #refusal: Mistake | undefined;
  #reports: { readonly text: string; readonly at: number }[] = [];

  constructor(settings: EngineSettings, events: LinkEvents) {
    this.#settings = settings;
    this.#events = events;
    this.#inbox = inboxOf(settings);
    this.subscribe(`${this.#inbox}.>`, (message) => this.#takeReply(message));
  }

  get isThere(): boolean {
    return this.#connection !== undefined;
  }

  get info(): NatsConnection["info"] {
    return this.#connection?.info;
  }

  /** Resolves with the first connection that is prepared; goes on until `close`. @throws Mistake */
  async open(): Promise<void> {
    const first = await this.#connectFirst();
    void (async () => {
      for (let current: Current | undefined = first; current; current = await this.#connectAgain()) await current.lost;
    })();
  }

  /** Publishes, unless there is no connection: the library would deliver it later. @throws EngineError if too long */
  publish(subject: string, data: Uint8Array, { reply, headers }: PublishOptions = {}): void {
    const connection = this.#connection;
    if (!connection || connection.isClosed()) return;
    try {
      connection.publish(subject, data, {
        ...(reply !== undefined && { reply }),
        ...(headers && { headers: headersOf(headers) }),
      });
    } catch (error) {
      throw new EngineError(`the message for ${subject} was not sent: ${textOf(error)}`, { mayBeDone: false });
    }
  }

  /** @returns a function that ends it; what the server has sent before it knows of that is still taken */
  subscribe(subject: string, take: (message: Msg) => void): () => void {
    const listener: BusListener = { subject, take, subscription: undefined };
    this.#listeners.add(listener);
    this.#listen(listener);
    return () => {
      this.#listeners.delete(listener);
      endOnceRead(listener);
    };
  }

  /** Opens a number of the inbox: replies to `reply` and to `followUp` come to `take`. */
  openInbox(subject: string, take: InboxEntry["take"], fail?: InboxEntry["fail"]): InboxNumber {
    const number = this.#number++;
    this.#waiting.set(number, { take, subject, ...(fail && { fail }) });
    const reply = `${this.#inbox}.${number}`;
    return { reply, followUp: `${reply}.m`, close: () => this.#waiting.delete(number) };
  }

  /** Publishes and waits for one reply; repeats what nobody has taken in. @throws EngineError */
  async request({ withinMs, isRepeatable = false, ...call }: BusRequest): Promise<Msg> {
    const until = performance.now() + withinMs;
    let mayBeDone = false;
    for (let silenceMs = SILENCE_FROM_MS; ; silenceMs = Math.min(2 * silenceMs, SILENCE_TO_MS)) {
      const leftMs = until - performance.now();
      try {
        return await this.#requestOnce({ ...call, withinMs: isRepeatable ? Math.min(leftMs, silenceMs) : leftMs });
      } catch (error) {
        const { message, mayBeDone: mayNowBeDone } = error as EngineError;
        mayBeDone ||= mayNowBeDone;
        const isAgain = error instanceof NoResponders || (isRepeatable && error instanceof Silence);
        if (!isAgain || !this.isThere || performance.now() + REPEAT_MS >= until)
          throw new EngineError(message, { mayBeDone });
        if (error instanceof NoResponders) await this.#pause(REPEAT_MS);
      }
    }
  }

  /** Calls the server's own API, in a way that can be repeated. @throws EngineError, Refused if the server says no */
  async api<Result>(subject: string, body: unknown, withinMs: number): Promise<Result> {
    const data = body === undefined ? new Uint8Array() : encoder.encode(JSON.stringify(body));
    const call = { subject: `$JS.API.${subject}`, data, withinMs, isRepeatable: true };
    return readApi<Result>(await this.request(call), subject);
  }

  async close(withinMs: number): Promise<void> {
    if (this.#isEnded) return;
    this.#isEnded = true;
    for (const endPause of this.#pauses) endPause();
    const connection = this.#connection;
    if (!connection) return;
    // A request that comes later must find nobody, and not a connection that is being closed.
    for (const listener of this.#listeners) endOnceRead(listener);
    // Then what had been on its way has come, and the second time what was said to it has left.
    for (let time = 1; time <= 2; time++) await within(connection.flush(), withinMs / 2).catch(() => {});
    this.#hasContact = false; // The caller need not be told.
    this.#lose(connection, "the engine has ended");
    await within(connection.closed(), DIAL_TIMEOUT_MS).catch(() => {});
  }

  /** Runs what came from outside: an exception is reported. */
  guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#tell(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Reports a trouble that may go on: each text once a minute, and no more than ten. */
  report(text: string): void {
    const now = performance.now();
    this.#reports = this.#reports.filter(({ at }) => now - at < REPORT_EVERY_MS);
    if (this.#reports.length >= REPORTS || this.#reports.some((each) => each.text === text)) return;
    this.#reports.push({ text, at: now });
    this.#tell(new Error(text));
  }

  #tell(fault: Error): void {
    try {
      this.#events.fault(fault);
    } catch {
      // Nobody is left to be told, and the library must not see it.
    }
  }

  async #connectFirst(): Promise<Current> {
    for (let pauseMs = PAUSE_FROM_MS; ; pauseMs = Math.min(2 * pauseMs, PAUSE_TO_MS)) {
      if (this.#isEnded) throw new EngineError("the engine has ended", { mayBeDone: false });
      const current = await this.#connectOnce(() => this.#prepare());
      if (current) return current;
      await this.#pause(pauseMs);
    }
  }

  async #connectAgain(): Promise<Current | undefined> {
    for (let pauseMs = PAUSE_FROM_MS; !this.#isEnded; pauseMs = Math.min(2 * pauseMs, PAUSE_TO_MS)) {
      const current = await this.#connectOnce(async () => {}).catch((error: unknown) => this.report(textOf(error)));
      if (current) {
        // A bucket may have no leader now, and a server may have lost its disk: contact must not wait for it.
        this.#prepare().catch((error: unknown) => this.report(textOf(error)));
        return current;
      }
      await this.#pause(pauseMs);
    }
    return undefined;
  }

  /** @returns undefined if there is no connection now @throws Mistake */
  async #connectOnce(check: () => Promise<void>): Promise<Current | undefined> {
    const connection = await this.#dialAny();
    if (!connection) return undefined;
    if (this.#isEnded) {
      await connection.close();
      return undefined;
    }
    const lost = this.#adopt(connection);
    try {
      for (const subject of this.#events.probes) this.publish(subject, new Uint8Array());
      await within(connection.flush(), DIAL_TIMEOUT_MS);
      await turn(); // The errors before the flush's answer come by an iterator.
      await check();
    } catch (error) {
      this.#lose(connection, "the connection was given up");
      if (error instanceof Mistake) throw error;
      this.report(textOf(error));
      return undefined;
    }
    if (this.#connection !== connection) return undefined;
    this.#hasContact = true;
    this.guard(() => this.#events.contact(true));
    return { lost };
  }

  async #prepare(): Promise<void> {
    try {
      if (!this.#refusal) await this.#events.prepare();
    } catch (error) {
      throw this.#refusal ?? error;
    }
    if (this.#refusal) throw this.#refusal;
  }

  /** Dials the servers in random order. @throws Mistake if one of them names a mistake, and none is there */
  async #dialAny(): Promise<NatsConnection | undefined> {
    const { servers } = this.#settings;
    const start = Math.floor(Math.random() * servers.length);
    let mistake: Mistake | undefined;
    for (const server of [...servers.slice(start), ...servers.slice(0, start)]) {
      if (this.#isEnded) return undefined;
      try {
        return await dial(server, this.#settings);
      } catch (error) {
        if (error instanceof Mistake) mistake ??= error;
        else this.report(textOf(error));
      }
    }
    if (mistake) throw mistake;
    return undefined;
  }

  #adopt(connection: NatsConnection): Promise<void> {
    this.#connection = connection;
    this.#refusal = undefined;
    for (const listener of this.#listeners) this.#listen(listener);
    return this.#watch(connection);
  }

  /** Resolves once the connection is lost. */
  async #watch(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === "error") this.#takeError(status.error);
      if (status.type === "staleConnection" || status.type === "disconnect") break;
    }
    this.#lose(connection, "the NATS server was lost");
  }

  #takeError(error: Error): void {
    if (!(error instanceof PermissionViolationError)) {
      this.report(`NATS: ${error.message}`);
      return;
    }
    const refusal = new Mistake(`NATS refuses a right: ${error.message}; see sidesocket cluster-setup`);
    this.#refusal ??= refusal;
    const failed = [...this.#waiting].filter(([, { subject }]) => subject === error.subject);
    for (const [number, { fail }] of failed) {
      if (!fail) continue;
      this.#waiting.delete(number);
      fail(new EngineError(refusal.message, { mayBeDone: false }));
    }
    this.report(refusal.message);
  }

  #lose(connection: NatsConnection, why: string): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    // To a server that is stopped it may take long: nobody waits for it.
    connection.close().catch(() => {});
    for (const listener of this.#listeners) listener.subscription = undefined;
    for (const [number, { fail }] of [...this.#waiting]) {
      if (!fail) continue;
      this.#waiting.delete(number);
      fail(new EngineError(why, { mayBeDone: true }));
    }
    if (!this.#hasContact) return;
    this.#hasContact = false;
    this.guard(() => this.#events.contact(false));
  }

  #listen(listener: BusListener): void {
    const connection = this.#connection;
    if (!connection || connection.isClosed()) return;
    listener.subscription = connection.subscribe(listener.subject, {
      callback: (error, message) => {
        if (!error && this.#connection === connection) this.guard(() => listener.take(message));
      },
    });
  }

  #takeReply(message: Msg): void {
    const [number, followUp] = message.subject.slice(this.#inbox.length + 1).split(".", 2);
    this.#waiting.get(Number(number))?.take(message, followUp !== undefined);
  }

  #requestOnce({ subject, data, headers, withinMs }: BusRequest): Promise<Msg> {
    if (!this.isThere) return Promise.reject(new EngineError("NATS is not there", { mayBeDone: false }));
    if (withinMs <= 0) return Promise.reject(new EngineError("no time is left", { mayBeDone: false }));
    return new Promise((resolve, reject) => {
      const fail = (error: EngineError) => {
        clearTimeout(timer);
        inbox.close();
        reject(error);
      };
      const take = (message: Msg) => {
        if (isNobody(message)) return fail(new NoResponders(`nobody answers for ${subject}`, { mayBeDone: false }));
        clearTimeout(timer);
        inbox.close();
        resolve(message);
      };
      const inbox = this.openInbox(subject, take, fail);
      const late = () => fail(new Silence(`NATS did not answer ${subject} in time`, { mayBeDone: true }));
      const timer = setTimeout(late, Math.min(withinMs, LONGEST_WAIT_MS));
      try {
        this.publish(subject, data, { reply: inbox.reply, ...(headers && { headers }) });
      } catch (error) {
        fail(error as EngineError);
      }
    });
  }

  /** Waits, unless the engine ends. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#pauses.delete(end);
        resolve();
      };
      const timer = setTimeout(end, ms * (1 + Math.random() / 2));
      this.#pauses.add(end);
    });
  }
}

interface PublishOptions {
  readonly reply?: string;
  readonly headers?: MessageHeaders;
}

export interface InboxNumber {
  readonly reply: string;
  readonly followUp: string;
  close(): void;
}

/** The server, not a member, says so: nobody is there for the subject. */
export function isNobody({ data, headers }: Msg): boolean {
  return data.length === 0 && headers?.code === 503;
}

/** Reads an answer of the server's API. @throws Refused */
export function readApi<Result>({ data }: Msg, subject: string): Result {
  const answer = JSON.parse(decoder.decode(data)) as { error?: { err_code?: number; description?: string } } & Result;
  if (!answer.error) return answer;
  const { err_code: code = 0, description = "no reason given" } = answer.error;
  throw new Refused(`NATS refuses ${subject}: ${description} (${code})`, code);
}

/** The prefix of a member's inbox; the last token of a subject is a number. */
export function inboxOf({ cluster, member }: Pick<EngineSettings, "cluster" | "member">): string {
  return `_INBOX.ss.${cluster}.${member}`;
}

function headersOf(record: MessageHeaders) {
  const headers = newHeaders();
  for (const [name, value] of Object.entries(record)) headers.set(name, value);
  return headers;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

function within<Value>(promise: Promise<Value>, ms: number): Promise<Value> {
  const message = new EngineError("NATS did not answer in time", { mayBeDone: true });
  return pTimeout(promise, { milliseconds: Math.max(1, ms), message });
}

/** Messages that are on their way are still taken: each of them may be a request that nobody else gets. */
function endOnceRead({ subscription }: BusListener): void {
  subscription?.drain().catch(() => {});
}
