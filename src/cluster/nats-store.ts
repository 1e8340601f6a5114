/** Values with revisions and logs, kept by NATS's JetStream: by its plain API, without consumers and watches. */
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import {
  type Bucket,
  type Claim,
  type Claimed,
  ENTRY_BYTES,
  EngineError,
  type EngineSettings,
  type LogEntry,
  type LogLimits,
  type LogState,
  Mistake,
  type Stored,
  UNKNOWN_LIFE,
} from "./engine.ts";
import { KeyRoom } from "./key-room.ts";
import { type MessageHeaders, type NatsLink, Refused, readApi } from "./nats-link.ts";
import {
  BUCKETS,
  bucketConfig,
  bucketStream,
  compareStream,
  hintSubject,
  keySubject,
  logConfig,
  logStream,
  logSubject,
  type StreamConfig,
} from "./nats-streams.ts";

/** The longest value in one message: the server returns it in base64, within its `max_payload`. */
const PART_BYTES = 512 * 1024;
/** The least that a server must take, and its default. */
const MAX_PAYLOAD_BYTES = 1024 * 1024;
/** Elections take up to 9 s. */
const PREPARE_MS = 15_000;
/** A lost race: the second code comes from servers 2.12 and later. */
const LOST_RACE = new Set([10071, 10164]);
/** The stream did not store it: its limits are reached, or its disk fails. */
const NOT_STORED = 10077;
const FULL = /maximum messages exceeded/;
const NO_STREAM = 10059;
const NAME_IN_USE = 10058;
/** The pause until a stream that another member makes is looked for again. */
const MAKING_MS = 50;
const NO_MESSAGE = 10037;
/** A stream's bytes are set aside when it is made, and the server has not as many left. */
const NO_ROOM = 10047;
/** The servers have not found each other, or have no leader. */
const NOT_YET = new Set([10005, 10008, 10009]);
/** JetStream is off in the server, or for the account. */
const JETSTREAM_OFF = new Set([10076, 10039]);
/** A follower may lag behind the hint: how often, and how long, it is given time. */
const BEHIND_RETRIES = 3;
const BEHIND_MS = 20;
/** The metadata of a log by which it is told apart from one that is made anew. */
const LIFE = "sidesocket_life";
/** Tokens of subjects, without wildcards. */
const KEY = /^[-/_=a-zA-Z0-9]+(\.[-/_=a-zA-Z0-9]+)*$/;
const LOG = /^[-_a-zA-Z0-9]{1,128}$/;

/** How a value is kept: as it is, or as a note of where its parts are. */
const WHOLE = 0;
const IN_PARTS = 1;

/** A message of a bucket. `value: undefined`: it is deleted, or parts of it are forgotten. */
interface BucketMessage {
  readonly value: Uint8Array | undefined;
  readonly revision: number;
}

interface StreamInfo {
  readonly config: StreamConfig;
  readonly created: string;
  readonly state: { first_seq: number; last_seq: number; messages: number; subjects?: Record<string, number> };
}

export class NatsStore {
  readonly #link: NatsLink;
  readonly #settings: EngineSettings;
  /** The newest entry of each log that a hint has named. */
  readonly #hinted = new Map<string, number>();
  readonly #room: KeyRoom;
  /** The new keys of `claims` that are on their way, and the count of those that are there. */
  readonly #creating = new Set<Promise<unknown>>();
  #counting: Promise<boolean> | undefined;

  constructor(link: NatsLink, settings: EngineSettings) {
    this.#link = link;
    this.#settings = settings;
    this.#room = new KeyRoom(settings.claimsMax);
  }

  /** Checks the server, and makes the buckets that are not there. @throws Mistake */
  async prepare(): Promise<void> {
    this.#checkServer();
    await Promise.all(BUCKETS.map((bucket) => this.#openStream(bucketConfig(this.#settings, bucket), PREPARE_MS)));
  }

  async claim({ bucket, key, value, after }: Claim, withinMs: number): Promise<Claimed> {
    const until = performance.now() + withinMs;
    const stored = await this.#encode(bucket, key, value, withinMs);
    const deletes: MessageHeaders = value === undefined ? { "KV-Operation": "DEL" } : {};
    const claimAfter = (revision: number) =>
      this.#put(bucket, key, stored, until, { ...deletes, "Nats-Expected-Last-Subject-Sequence": String(revision) });
    if (after !== 0) return claimAfter(after);
    const create = () => claimAfter(0);
    const revision = await (bucket === "claims" ? this.#createWithRoom(create, until) : create());
    if (typeof revision === "number") return revision;
    // A key that was deleted, or whose parts are forgotten, has a revision, and no value.
    const found = await this.#read(bucket, key, until - performance.now());
    if (!found) return revision;
    return found.value === undefined ? claimAfter(found.revision) : "lost";
  }

  /** Makes a key unless `claims` has as many as it may. */
  async #createWithRoom(create: () => Promise<Claimed>, until: number): Promise<Claimed> {
    while (!this.#room.take(performance.now())) {
      this.#counting ??= this.#countKeys(until).finally(() => {
        this.#counting = undefined;
      });
      if (!(await this.#counting)) return "full";
    }
    // In the same step as the place was taken: a count that begins now must know of it.
    const creating = create();
    this.#creating.add(creating);
    try {
      return await creating;
    } finally {
      this.#creating.delete(creating);
    }
  }

  async #countKeys(until: number): Promise<boolean> {
    for (;;) {
      const unseen = [...this.#creating];
      const info = `STREAM.INFO.${bucketStream(this.#settings, "claims")}`;
      const { state } = await this.#link.api<StreamInfo>(info, undefined, until - performance.now());
      const hasRoom = this.#room.counted(state.messages, unseen.length, performance.now());
      // They may have been counted twice.
      if (hasRoom || unseen.length === 0) return hasRoom;
      await Promise.allSettled(unseen);
    }
  }

  async look(bucket: Bucket, key: string, withinMs: number): Promise<Stored | undefined> {
    const { value, revision } = (await this.#read(bucket, key, withinMs)) ?? {};
    return value === undefined || revision === undefined ? undefined : { value, revision };
  }

  async keep(bucket: Bucket, key: string, value: Uint8Array, withinMs: number): Promise<void> {
    const until = performance.now() + withinMs;
    await this.#put(bucket, key, await this.#encode(bucket, key, value, withinMs), until);
  }

  async keys(bucket: Bucket, prefix: string, withinMs: number): Promise<readonly string[]> {
    const start = keySubject(this.#settings, bucket, "");
    const body = { subjects_filter: `${start}${prefix}>` };
    const { state } = await this.#link.api<StreamInfo>(
      `STREAM.INFO.${bucketStream(this.#settings, bucket)}`,
      body,
      withinMs,
    );
    return Object.keys(state.subjects ?? {}).map((subject) => subject.slice(start.length));
  }

  async openLog(log: string, limits: LogLimits, withinMs: number): Promise<LogState> {
    checkName(log, LOG);
    const metadata = { [LIFE]: randomBytes(12).toString("base64url") };
    const { config, created, state } = await this.#openStream(
      logConfig(this.#settings, log, limits),
      withinMs,
      metadata,
    );
    const first = state.messages === 0 ? state.last_seq + 1 : state.first_seq;
    return { life: config.metadata?.[LIFE] ?? this.#lifeOf(created), first, last: state.last_seq };
  }

  async append(log: string, id: string, entry: Uint8Array, withinMs: number): Promise<number> {
    checkName(log, LOG);
    if (entry.length > ENTRY_BYTES) throw tooLong(entry, ENTRY_BYTES);
    const subject = logSubject(this.#settings, log);
    const answer = await this.#link.request({
      subject,
      data: entry,
      headers: { "Nats-Msg-Id": id },
      withinMs,
      isRepeatable: true,
    });
    return readApi<{ seq: number }>(answer, subject).seq;
  }

  async next(log: string, after: number, withinMs: number): Promise<LogEntry | undefined> {
    const until = performance.now() + withinMs;
    for (let tries = 0; ; tries += 1) {
      const entry = await this.#nextNow(log, after, until - performance.now());
      const isBehind = !entry && (this.#hinted.get(log) ?? 0) > after;
      if (!isBehind || tries === BEHIND_RETRIES || until - performance.now() < 2 * BEHIND_MS) return entry;
      await new Promise((resolve) => setTimeout(resolve, BEHIND_MS));
    }
  }

  onGrown(log: string, grown: (seq: number) => void): () => void {
    checkName(log, LOG);
    return this.#link.subscribe(hintSubject(this.#settings, log), ({ headers }) => {
      const seq = Number(headers?.get("Nats-Sequence"));
      this.#hinted.set(log, seq);
      grown(seq);
    });
  }

  /** The life of a stream without metadata, which servers before 2.10 do not keep. */
  #lifeOf(created: string): string {
    // Each server of a cluster says another time, and a new leader so another one than the former.
    return this.#link.info?.cluster === undefined ? Date.parse(created).toString(36) : UNKNOWN_LIFE;
  }

  #checkServer(): void {
    const info = this.#link.info;
    if (!info) throw new EngineError("the NATS server was lost", { mayBeDone: false });
    const [major = 0, minor = 0] = info.version.split(".").map(Number);
    const name = `nats-server ${info.version}`;
    if (!info.headers) throw new Mistake(`${name} has no headers: use 2.9 or later`);
    if (info.max_payload < MAX_PAYLOAD_BYTES)
      throw new Mistake(`${name} has max_payload ${info.max_payload}: raise it to ${MAX_PAYLOAD_BYTES} or more`);
    if (this.#settings.replicas > 1 && (major < 2 || (major === 2 && minor < 10)))
      throw new Mistake(`${name} can let two members win a claim with 3 replicas: use 2.10 or later, or 1 replica`);
  }

  /**
   * Makes a stream unless it is there, and checks that it is as it must be.
   *
   * @param metadata of a stream that is made
   * @throws Mistake
   */
  async #openStream(
    wanted: StreamConfig,
    withinMs: number,
    metadata: StreamConfig["metadata"] = {},
  ): Promise<StreamInfo> {
    const until = performance.now() + withinMs;
    const left = () => until - performance.now();
    const look = () => this.#link.api<StreamInfo>(`STREAM.INFO.${wanted.name}`, undefined, left());
    const make = () => this.#link.api<StreamInfo>(`STREAM.CREATE.${wanted.name}`, { ...wanted, metadata }, left());
    let info: StreamInfo | undefined;
    try {
      this.#checkJetStream();
      for (;;) {
        info = (await unless(NO_STREAM, look)) ?? (await unless(NAME_IN_USE, make));
        if (info) break;
        // Another member is making it, which not every server knows yet.
        if (left() < MAKING_MS) throw new EngineError(`NATS is still making ${wanted.name}`, { mayBeDone: false });
        await new Promise((resolve) => setTimeout(resolve, MAKING_MS));
      }
    } catch (error) {
      if (!(error instanceof Refused) || NOT_YET.has(error.code)) throw error;
      if (JETSTREAM_OFF.has(error.code)) throw jetStreamIsOff();
      throw error.code === NO_ROOM ? noRoomFor(wanted) : new Mistake(`${error.message}; see sidesocket cluster-setup`);
    }
    const { mistake, remark } = compareStream(wanted, info.config);
    if (mistake !== undefined) throw new Mistake(mistake);
    if (remark !== undefined) this.#link.report(remark);
    return info;
  }

  /** A server without JetStream may be in a cluster that has it. */
  #checkJetStream(): void {
    const { info } = this.#link;
    if (!info) throw new EngineError("NATS is not there", { mayBeDone: false });
    if (!info.jetstream && info.cluster === undefined) throw jetStreamIsOff();
  }

  async #put(bucket: Bucket, key: string, stored: Uint8Array, until: number, headers?: MessageHeaders) {
    const subject = keySubject(this.#settings, bucket, key);
    const withinMs = until - performance.now();
    // After a claim that was done and not answered, the same claim would be lost.
    const isRepeatable = headers === undefined;
    const answer = await this.#link.request({ subject, data: stored, headers, withinMs, isRepeatable });
    try {
      return readApi<{ seq: number }>(answer, subject).seq;
    } catch (error) {
      if (error instanceof Refused && LOST_RACE.has(error.code)) return "lost";
      if (error instanceof Refused && error.code === NOT_STORED && FULL.test(error.message)) return "full";
      throw error;
    }
  }

  async #read(bucket: Bucket, key: string, withinMs: number): Promise<BucketMessage | undefined> {
    const until = performance.now() + withinMs;
    const found = await this.#readMessage(bucket, key, withinMs);
    if (found?.value?.[0] !== IN_PARTS) return found && { ...found, value: found.value?.subarray(1) };
    const { token, parts } = JSON.parse(Buffer.from(found.value.subarray(1)).toString()) as Parts;
    const reads = Array.from({ length: parts }, async (_, index) => {
      const part = await this.#readMessage(bucket, partKey(key, token, index), until - performance.now());
      return part?.value;
    });
    const values = await Promise.all(reads);
    const isWhole = values.every((value) => value !== undefined);
    return { revision: found.revision, value: isWhole ? new Uint8Array(Buffer.concat(values)) : undefined };
  }

  async #readMessage(bucket: Bucket, key: string, withinMs: number): Promise<BucketMessage | undefined> {
    checkName(key, KEY);
    const stream = bucketStream(this.#settings, bucket);
    const body = { last_by_subj: keySubject(this.#settings, bucket, key) };
    try {
      const { message } = await this.#link.api<RawMessage>(`STREAM.MSG.GET.${stream}`, body, withinMs);
      const isDeleted = Buffer.from(message.hdrs ?? "", "base64").includes("KV-Operation: DEL");
      const value = isDeleted ? undefined : new Uint8Array(Buffer.from(message.data ?? "", "base64"));
      return { value, revision: message.seq };
    } catch (error) {
      if (error instanceof Refused && error.code === NO_MESSAGE) return undefined;
      throw error;
    }
  }

  /** Makes a value's message; the parts of a long one are stored before it. */
  async #encode(bucket: Bucket, key: string, value: Uint8Array | undefined, withinMs: number): Promise<Uint8Array> {
    checkName(key, KEY);
    if (value === undefined) return new Uint8Array();
    const { messageBytes } = this.#settings;
    if (value.length > messageBytes) throw tooLong(value, messageBytes);
    if (value.length <= PART_BYTES) return Buffer.concat([Buffer.of(WHOLE), value]);
    // Parts that are replaced are forgotten in time; where nothing is forgotten, they would stay.
    if (bucket === "owner" || bucket === "meta") throw tooLong(value, PART_BYTES);
    const until = performance.now() + withinMs;
    const token = randomBytes(12).toString("base64url");
    const parts = Math.ceil(value.length / PART_BYTES);
    const puts = Array.from({ length: parts }, (_, index) => {
      const part = value.subarray(index * PART_BYTES, (index + 1) * PART_BYTES);
      return this.#put(bucket, partKey(key, token, index), part, until);
    });
    await Promise.all(puts);
    return Buffer.concat([Buffer.of(IN_PARTS), Buffer.from(JSON.stringify({ token, parts } satisfies Parts))]);
  }

  async #nextNow(log: string, after: number, withinMs: number): Promise<LogEntry | undefined> {
    checkName(log, LOG);
    const body = Buffer.from(JSON.stringify({ seq: after + 1, next_by_subj: logSubject(this.#settings, log) }));
    const subject = `$JS.API.DIRECT.GET.${logStream(this.#settings, log)}`;
    const { headers, data } = await this.#link.request({ subject, data: body, withinMs, isRepeatable: true });
    if (headers?.code === 404) return undefined;
    if (!headers || headers.code >= 400)
      throw new EngineError(`NATS refuses ${subject}: ${headers?.description}`, { mayBeDone: false });
    return { seq: Number(headers.get("Nats-Sequence")), entry: data };
  }
}

/** The note that stands for a value in parts. */
interface Parts {
  readonly token: string;
  readonly parts: number;
}

interface RawMessage {
  readonly message: { readonly seq: number; readonly hdrs?: string; readonly data?: string };
}

function partKey(key: string, token: string, index: number): string {
  return `${key}.${token}.${index}`;
}

function checkName(name: string, form: RegExp): void {
  if (form.test(name)) return;
  throw new EngineError(`${JSON.stringify(name)} cannot be a name in NATS: it must match ${form}`, {
    mayBeDone: false,
  });
}

function tooLong({ length }: Uint8Array, limit: number): EngineError {
  return new EngineError(`${length} bytes are more than the ${limit} that are kept`, { mayBeDone: false });
}

function jetStreamIsOff(): Mistake {
  return new Mistake("NATS has no JetStream here: start nats-server with -js, or enable it for the account");
}

function noRoomFor({ name, max_bytes: bytes = 0 }: StreamConfig): Mistake {
  const cure = "raise max_file_store of its JetStream, or lower messages.bytes, or of a bucket replies.bytes";
  return new Mistake(`NATS has no room to set aside the ${bytes} bytes of the stream ${name}: ${cure}`);
}

/** @returns undefined if the server refuses it with this code */
async function unless<Value>(code: number, call: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof Refused && error.code === code) return undefined;
    throw error;
  }
}
