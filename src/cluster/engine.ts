/** The port between a member and the message server of its cluster: a bus, values with revisions, and logs. */

/** Bytes of an entry of a log, at most; requests, answers and values have a bound of their own, `messageBytes`. */
export const ENTRY_BYTES = 768 * 1024;

/**
 * `owner` and `meta` last. `claims` forgets after `claimsMs`, and takes no other key while it has `claimsMax`; `kept`
 * forgets after `keptMs`, and what is oldest if `keptBytes` are full.
 */
export type Bucket = "owner" | "claims" | "kept" | "meta";

export interface EngineSettings {
  /** URLs of equal servers, such as `tls://user:password@nats-1:4222`. Servers that are not named here are not used. */
  readonly servers: readonly string[];
  /** The cluster's name: `[a-z0-9-]{1,32}`. */
  readonly cluster: string;
  /** The member's id, drawn at its start: `[A-Za-z0-9_-]+`. */
  readonly member: string;
  /** Servers that keep each bucket and log. */
  readonly replicas: 1 | 3;
  readonly claimsMs: number;
  /**
   * Keys in `claims`; one that was deleted may count until it is forgotten, and members that make the last ones at the
   * same moment may make a few more.
   */
  readonly claimsMax: number;
  readonly keptMs: number;
  /** Bytes of `kept`. */
  readonly keptBytes: number;
  /** Bytes of a request, answer or value, at most; longer ones are refused where they would be sent. */
  readonly messageBytes: number;
  /** The text of a credentials file, or an nkey's seed; asked for at each connection. */
  readonly credentials?: () => string;
  /** Certificates to trust, in PEM, besides those of the system. */
  readonly ca?: string;
}

/**
 * A call that failed. `mayBeDone: false`: the server has not taken it in, and never will; `true`: nobody knows.
 */
export class EngineError extends Error {
  readonly mayBeDone: boolean;

  constructor(message: string, { mayBeDone }: { readonly mayBeDone: boolean }) {
    super(message);
    this.mayBeDone = mayBeDone;
  }
}

/** A mistake of configuration: trying again does not mend it. */
export class Mistake extends EngineError {
  constructor(message: string) {
    super(message, { mayBeDone: false });
  }
}

/** An engine calls back, never inside a call to it; an exception in a callback goes to `fault`. */
export interface Engine {
  /**
   * Connects, and goes on trying until `end`; resolves with the first contact. What may be called before: `onBeat`,
   * `answer`, `onGrown`; anything else fails, or is dropped, as if the server were lost.
   *
   * @throws Error for a mistake of configuration (rights, version, a stream in the way), with its cause and cure.
   */
  connect(events: EngineEvents): Promise<void>;
  /** Tells all members, this one too; at most once. A beat without contact is dropped. */
  beat(beat: Uint8Array): void;
  onBeat(hear: (beat: Uint8Array) => void): void;
  /**
   * Sends a request to whichever member answers at an address; without contact, to nobody. The asker must call `end`
   * when it no longer waits: the engine has no deadline for it.
   *
   * @throws EngineError for a request, or for more of it, that is longer than `messageBytes`
   */
  ask(address: string, request: Uint8Array, on: AskEvents): OpenAsk;
  /**
   * Takes the requests at an address until the returned function is called; later ones are told `nobody`, and those
   * that are open go on.
   */
  answer(address: string, take: TakeRequest): () => void;
  /**
   * Writes a value, or deletes it (`undefined`), if the key's revision is `after` (0: it has no value). Returns the new
   * revision, which is greater than all before in this bucket, `lost` if the key has another one, or `full` if it has
   * none, and the bucket no room for it.
   *
   * @throws EngineError
   */
  claim(claim: Claim, withinMs: number): Promise<Claimed>;
  /** Reads the newest value of a key, from the leader. @throws EngineError */
  look(bucket: Bucket, key: string, withinMs: number): Promise<Stored | undefined>;
  /** Stores a value without asking for its revision. @throws EngineError */
  keep(bucket: Bucket, key: string, value: Uint8Array, withinMs: number): Promise<void>;
  /**
   * Lists the keys of a bucket that begin with a text that ends in a dot, such as `sub.orders.`; `""` lists all.
   * @throws EngineError
   */
  keys(bucket: Bucket, prefix: string, withinMs: number): Promise<readonly string[]>;
  /** Makes a log unless it is there, and says what it holds. @throws EngineError, Mistake */
  openLog(log: string, limits: LogLimits, withinMs: number): Promise<LogState>;
  /**
   * Appends an entry; the same id twice within two minutes appends once. Returns its sequence number once it is stored.
   * @throws EngineError
   */
  append(log: string, id: string, entry: Uint8Array, withinMs: number): Promise<number>;
  /** Reads the first entry behind `after`; `undefined` if there is none yet. @throws EngineError */
  next(log: string, after: number, withinMs: number): Promise<LogEntry | undefined>;
  /** Hints that a log has grown, with the number of the entry. A hint may be missing: look without it every second. */
  onGrown(log: string, grown: (seq: number) => void): () => void;
  /**
   * Sends what is on its way and disconnects; what is called meanwhile or later fails. Who waits for an answer of this
   * member is told that none comes (`lost`).
   */
  end(withinMs: number): Promise<void>;
}

export interface EngineEvents {
  /** `false`: the server is lost, and nothing that is asked now will be done; `true`: it is back. */
  contact(isThere: boolean): void;
  /** Something that an operator should know: a right that is missing, an exception in a callback. */
  fault(error: Error): void;
}

export interface AskEvents {
  /** Called for each answer, in order, none left out. */
  answer(answer: Uint8Array, isLast: boolean): void;
  /** The server or the member says that nobody answers there: the request was delivered to nobody, whole. */
  nobody(): void;
  /** Some of the request or of an answer did not arrive: no more will come, and nobody knows what was done. */
  lost(): void;
}

export interface OpenAsk {
  more(message: Uint8Array): void;
  /** Tells the answering member that the asker has left, unless it has answered; nothing is called back afterwards. */
  end(): void;
}

/** Called with each request once it is whole. `send` does nothing after the last answer, or when the asker has left. */
export type TakeRequest = (
  request: Uint8Array,
  send: (answer: Uint8Array, isLast: boolean) => void,
) => { more(message: Uint8Array): void; end(): void };

export type Claimed = number | "lost" | "full";

export interface Claim {
  readonly bucket: Bucket;
  readonly key: string;
  readonly value: Uint8Array | undefined;
  readonly after: number;
}

export interface Stored {
  readonly value: Uint8Array;
  readonly revision: number;
}

export interface LogLimits {
  /** Bytes of the log: when they are full, the oldest entries make room. */
  readonly bytes: number;
}

/** A log holds what the journals of an upstream hold, and what entries have around it. */
export function logLimits(messages: { readonly bytes: number }): LogLimits {
  return { bytes: Math.ceil(1.25 * messages.bytes) };
}

/** The life of a log whose servers cannot tell it from one that was made anew. */
export const UNKNOWN_LIFE = "unknown";

export interface LogState {
  /** Differs once the log was made anew, and seldom before all servers agree on one that was just made. */
  readonly life: string;
  /** Sequence number of the oldest entry; `last + 1` if there is none. */
  readonly first: number;
  readonly last: number;
}

export interface LogEntry {
  readonly seq: number;
  readonly entry: Uint8Array;
}
