/** The webhook: delivers a journal's messages to a receiver, in order and in batches. */
import { createHmac } from "node:crypto";
import type { WebhookSettings } from "../config/schema.ts";
import { failed as failedOutcome } from "../core/exchange/failures.ts";
import {
  type Cursor,
  cursorText,
  type Gap,
  type JournalEntry,
  type Page,
  type Start,
} from "../core/messages/journal.ts";
import type { CallerOutcome } from "../core/outcome.ts";
import type { WebhookState } from "../http/ports.ts";
import { jsonOf } from "../http/streaming/render.ts";
import type { Network } from "../net/connect.ts";
import { ALL_AT_ONCE, fillPlaceholders, placeholdersIn } from "../secrets/placeholders.ts";
import { checkResolved, readSecretFile, Unresolved } from "../secrets/secret-file.ts";
import { faultOfKey } from "../secrets/signing-key.ts";
import type { JournalPulls, ReadEnd } from "../sidecar/host/journal-pulls.ts";
import { JournalReader } from "../sidecar/host/journal-reader.ts";
import type { Pusher, PushTurns } from "../sidecar/host/push-turns.ts";
import { spanStarter } from "../sidecar/host/spans.ts";
import { furtherOf } from "./places.ts";
import { Poster } from "./post.ts";
import { apart, wantsReply } from "./reply-batches.ts";
import { pauseMs, type ReceiverReply, type Verdict, verdictOf } from "./verdict.ts";

/** The settings of a webhook whose texts go out. */
type WebhookSecrets = Pick<WebhookSettings, "url" | "proxy" | "headers" | "secret">;

/** A page of the journal, or a part of one that the receiver refused as a whole. */
interface WebhookBatch {
  readonly epoch: string;
  readonly entries: readonly JournalEntry[];
  /** The place after it. */
  readonly next: number;
  readonly isPart: boolean;
}

/** A delivery as it is repeated, always the same. */
interface WebhookRequest {
  readonly id: string;
  readonly body: string;
  /** True if the body of the response is a reply. */
  readonly readsBody: boolean;
}

export interface WebhookOptions {
  readonly upstream: string;
  readonly settings: WebhookSettings;
  readonly journals: JournalPulls;
  /** True if answers to the upstream wait for deliveries. */
  readonly isAwaited?: boolean;
  /** The resolver of host names; undefined for the runtime's own. */
  readonly network: Network;
  /** The webhook of the same receiver whose place this one takes, with other settings. */
  readonly former?: Webhook | undefined;
  /** Set if replicas share the upstream: this one pushes only while it owns it. */
  readonly turns?: PushTurns | undefined;
  /** Replies to a request of the upstream's. Failures are outcomes. */
  reply(cursor: string, reply: string): Promise<CallerOutcome>;
  /** Called when a reply of the receiver could not be sent. */
  onUnsentReply(detail: string): void;
  /** Called when deliveries begin to fail, and when they succeed again. */
  onChange(state: WebhookState): void;
}

/** From an attempt to read a shared journal to the next one. */
const READ_AGAIN_MS = 1_000;
/** How often a reader that a filter leaves without messages begins again, where it is by now. */
const ADVANCE_MS = 10_000;

/**
 * Sends one request at a time and repeats a batch, with the same body and id, until a 2xx acknowledges it: delivery is
 * at least once, and the receiver can recognize a repetition. A webhook reads the journal like any other reader, so a
 * dead receiver delays no one else, and finds a gap if it was away for too long. A batch that it refuses is halved
 * until the message to blame is alone; that one is given up after a while, and a gap is delivered in its place. Headers
 * and signature follow Standard Webhooks 1.0.0.
 */
export class Webhook implements Pusher {
  readonly #options: WebhookOptions;
  /** Undefined while another replica pushes. */
  #reader: JournalReader | undefined;
  readonly #poster: Poster;
  /** Aborts the request in flight, or the pause before the next one. */
  #abort: () => void = () => {};
  #endPause: () => void = () => {};
  #stopped = false;
  /** The number of the turn in which this replica pushes; without replicas there is one, which does not end. */
  #turn = 0;
  #mayPush = true;
  #isElsewhere = false;
  #advances: NodeJS.Timeout | undefined;
  #readsAgain: NodeJS.Timeout | undefined;
  #delivering = false;
  #delivery: Promise<void> | undefined;
  /** The place before the first message that was neither acknowledged nor given up. */
  #done: Start;
  #acknowledged: string | null = null;
  #delivered = 0;
  #failures = 0;
  #lastError: string | null = null;
  #givenUp = 0;

  constructor(options: WebhookOptions) {
    this.#options = options;
    const { settings, network, former, turns } = options;
    this.#done = former?.place ?? settings.after;
    if (former) {
      this.#acknowledged = former.#acknowledged;
      this.#delivered = former.#delivered;
      this.#givenUp = former.#givenUp;
      former.stop();
    }
    this.#poster = new Poster(network);
    if (turns) {
      this.#mayPush = false;
      this.#isElsewhere = true;
    } else this.#read();
  }

  #read(): void {
    clearTimeout(this.#readsAgain);
    this.#reader?.close();
    const { journals, settings } = this.#options;
    const where = Object.entries(settings.where).map(([pointer, value]) => ({ pointer, value: String(value) }));
    const selection = { journal: settings.subscription ?? "", where, when: settings.when };
    const consumer = {
      wants: () => !this.#delivering,
      page: (page: Page) => this.#onPage(page),
      caughtUp: (cursor: Cursor) => this.#onCaughtUp(cursor),
      end: (end: ReadEnd) => this.#onEnd(end),
    };
    this.#reader = new JournalReader(journals, selection, this.#done, consumer, settings.batch);
    this.#reader.resume();
  }

  // The turns of a replica.

  push(from: Cursor | undefined): void {
    if (this.#stopped) return;
    const { settings } = this.#options;
    this.#clearTimers();
    this.#turn++;
    this.#mayPush = true;
    this.#isElsewhere = false;
    this.#lastError = null;
    this.#done = furtherOf(this.#done, from);
    this.#acknowledged = from ? cursorText(from) : null;
    if (settings.when || Object.keys(settings.where).length > 0)
      this.#advances = setInterval(() => this.#readOn(), ADVANCE_MS).unref();
    if (!this.#delivering) this.#read();
  }

  async rest(why: string | undefined): Promise<void> {
    if (this.#stopped) return;
    this.#done = this.place;
    this.#turn++;
    this.#mayPush = false;
    this.#isElsewhere = why === undefined;
    this.#failures = 0;
    this.#lastError = why ?? null;
    this.#acknowledged = null;
    this.#clearTimers();
    this.#reader?.close();
    this.#reader = undefined;
    this.#endPause();
    await this.#delivery;
  }

  #readOn(): void {
    if (this.#delivering) return;
    this.#done = this.place;
    this.#read();
  }

  #clearTimers(): void {
    clearInterval(this.#advances);
    clearTimeout(this.#readsAgain);
  }

  /** Keeps the place behind what there was at the beginning, or what the filter leaves out: the log forgets it. */
  #onCaughtUp(cursor: Cursor): void {
    const { turns } = this.#options;
    if (!turns || this.#delivering) return;
    if (typeof this.#done !== "string" && cursorText(this.#done) === cursorText(cursor)) return;
    this.#done = cursor;
    void turns.pushed(this, cursor, 0);
  }

  get settings(): WebhookSettings {
    return this.#options.settings;
  }

  /** The place from which another webhook goes on without losing a message. */
  get place(): Start {
    return this.#delivering || !this.#reader ? this.#done : this.#reader.place;
  }

  get state(): WebhookState {
    return {
      url: new URL(this.#options.settings.url).origin,
      acknowledged: this.#acknowledged,
      delivered: this.#delivered,
      failures: this.#failures,
      lastError: this.#lastError,
      givenUp: this.#givenUp,
      stopped: this.#stopped,
      ...(this.#options.turns && { elsewhere: this.#isElsewhere && !this.#stopped }),
    };
  }

  /** Aborts a delivery in flight. */
  stop(): void {
    this.#stopped = true;
    this.#clearTimers();
    this.#abort();
    this.#poster.close();
    this.#reader?.close();
  }

  #onPage({ epoch, entries, next }: Page): void {
    this.#delivering = true;
    const [first] = entries;
    // A gap counts from the place before it, which another webhook must have as well.
    if (first && (typeof this.#done === "string" || !("gap" in first))) this.#done = { epoch, seq: first.seq - 1 };
    const turn = this.#turn;
    this.#delivery = this.#deliver(this.#batchesOf(epoch, entries, next), turn).then((done) => {
      if (!done && turn === this.#turn) return;
      this.#delivering = false;
      if (turn === this.#turn) this.#reader?.resume();
      else if (this.#mayPush && !this.#stopped) this.#read();
    });
  }

  /** The page as it is, or in parts for a receiver that replies. */
  #batchesOf(epoch: string, entries: readonly JournalEntry[], next: number): readonly WebhookBatch[] {
    const parts = this.#options.settings.replies ? apart(entries) : [entries];
    return parts.map((part, at) => ({
      epoch,
      entries: part,
      next: at === parts.length - 1 ? next : (part.at(-1)?.seq ?? next),
      isPart: parts.length > 1,
    }));
  }

  /** @returns true once all batches are acknowledged or given up; false if the webhook is stopped, or its turn ends */
  async #deliver(first: readonly WebhookBatch[], turn: number): Promise<boolean> {
    const batches = [...first];
    for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
      const verdict = await this.#repeat(batch, turn);
      if (verdict === undefined) return false;
      if (verdict.type !== "taken") {
        batches.unshift(...this.#withoutRefused(batch, verdict.why));
        continue;
      }
      const full = this.#onTaken(batch, turn);
      await this.#reply(batch, verdict.reply);
      if (full) await full;
      if (this.#stopped || turn !== this.#turn) return false;
    }
    return true;
  }

  /** Repeats a batch until it is taken or refused for good. @returns undefined if it is not to be repeated any more */
  async #repeat(batch: WebhookBatch, turn: number): Promise<Verdict | undefined> {
    const readsBody = this.#options.settings.replies && batch.entries.some(wantsReply);
    const request = { ...this.#requestOf(batch), readsBody };
    const giveUpAfter = batch.entries.length > 1 || isGap(batch) ? 0 : this.#options.settings.give_up_after;
    let refusedAt: number | undefined;
    for (;;) {
      const verdict = await this.#attempt(request);
      if (this.#stopped) return undefined;
      if (turn === this.#turn || verdict.type === "gone") this.#onVerdict(verdict);
      if (verdict.type === "taken") return verdict;
      if (verdict.type === "gone" || turn !== this.#turn) return undefined;
      let pause = pauseMs(this.#failures, verdict.retryAfterMs, Math.random());
      if (verdict.type === "refused" && giveUpAfter !== null) {
        refusedAt ??= performance.now();
        const left = refusedAt + giveUpAfter - performance.now();
        if (left <= 0) return verdict;
        pause = Math.min(pause, left);
      }
      await this.#pause(pause);
      if (this.#stopped || turn !== this.#turn) return undefined;
    }
  }

  #onVerdict(verdict: Verdict): void {
    const wasFailing = this.#failures > 0;
    const isFailing = verdict.type !== "taken";
    this.#failures = isFailing ? this.#failures + 1 : 0;
    if (isFailing) this.#lastError = verdict.why;
    if (verdict.type === "gone") this.stop();
    if (wasFailing !== isFailing || verdict.type === "gone") this.#options.onChange(this.state);
  }

  /** @returns a promise if so much is not kept yet that nothing must be pushed until it resolves */
  #onTaken({ epoch, entries, next }: WebhookBatch, turn: number): Promise<void> | undefined {
    const place = { epoch, seq: next };
    // In another turn, a replica may have come further meanwhile.
    this.#done = turn === this.#turn || typeof this.#done === "string" ? place : furtherOf(place, this.#done);
    if (turn === this.#turn) this.#acknowledged = cursorText(place);
    this.#delivered += entries.length;
    const { isAwaited, journals, settings, turns } = this.#options;
    const seqs = entries.flatMap((entry) => ("gap" in entry ? [] : entry.seq));
    if (isAwaited && seqs.length > 0) journals.delivered(settings.subscription ?? "", epoch, seqs);
    return this.#done === place ? turns?.pushed(this, place, entries.length) : undefined;
  }

  /** Sends what the receiver has replied, if anything, to the upstream that wants it. */
  async #reply({ epoch, entries: [entry] }: WebhookBatch, reply: ReceiverReply | undefined): Promise<void> {
    if (!entry || !reply || !wantsReply(entry) || reply.text?.trim() === "") return;
    const { text } = reply;
    const cursor = cursorText({ epoch, seq: entry.seq });
    const outcome = text === undefined ? failedReply : await this.#options.reply(cursor, text);
    if (!("failure" in outcome)) return;
    this.#lastError = `the receiver's reply to ${cursor} was not sent: ${outcome.failure.detail}`;
    this.#options.onUnsentReply(this.#lastError);
  }

  /** The halves of a refused batch; for a single message, the gap that is delivered in its place. */
  #withoutRefused(batch: WebhookBatch, why: string): readonly WebhookBatch[] {
    const { epoch, entries, next } = batch;
    const [entry] = entries;
    if (entry === undefined) return [];
    if (entries.length > 1) {
      const middle = Math.ceil(entries.length / 2);
      const head = entries.slice(0, middle);
      const seq = head.at(-1)?.seq ?? next;
      return [
        { epoch, entries: head, next: seq, isPart: true },
        { epoch, entries: entries.slice(middle), next, isPart: true },
      ];
    }
    // A gap that is refused as well is only counted: repeating it would block everything behind it.
    if (isGap(batch)) {
      const place = { epoch, seq: next };
      this.#done = place;
      this.#acknowledged = cursorText(place);
      void this.#options.turns?.pushed(this, place, 0);
      return [];
    }
    this.#givenUp++;
    this.#options.onChange(this.state);
    const { seq, at } = entry;
    const after = cursorText({ epoch, seq: seq - 1 });
    const before = cursorText({ epoch, seq: seq + 1 });
    const gap: Gap = { seq, at, gap: { after, before, dropped: 1, reason: "refused", why } };
    return [{ epoch, entries: [gap], next, isPart: true }];
  }

  #requestOf({ epoch, entries, next, isPart }: WebhookBatch): { readonly id: string; readonly body: string } {
    const { upstream, settings } = this.#options;
    const cursor = cursorText({ epoch, seq: next });
    const messages = entries.map((entry) => jsonOf(epoch, entry)).join(",");
    const header = JSON.stringify({ upstream, subscription: settings.subscription, next: cursor });
    const body = `${header.slice(0, -1)},"messages":[${messages}]}`;
    // Another body needs another id: the second half of a batch ends where the batch does.
    const part = isPart ? `.${entries.length}${entries.some((entry) => "gap" in entry) ? "g" : ""}` : "";
    return { id: `${upstream}.${cursor}${part}`, body };
  }

  async #attempt({ id, body, readsBody }: WebhookRequest): Promise<Verdict> {
    const { timeout } = this.#options.settings;
    let origin = "";
    let href = "";
    // Not AbortSignal.any: on Node 20, each call leaks a little memory into a signal that outlives it.
    const attempt = new AbortController();
    const { hostname } = new URL(this.#options.settings.url);
    const attributes = { "http.request.method": "POST", "server.address": hostname };
    const span = spanStarter()?.("POST", { ...attributes, "sidesocket.upstream": this.#options.upstream });
    this.#abort = () => attempt.abort();
    let waitsFor: string | undefined;
    const timer = setTimeout(() => {
      waitsFor = this.#poster.waitsFor;
      attempt.abort(new DOMException("", "TimeoutError"));
    }, timeout);
    try {
      const { signal } = attempt;
      const { url, proxy, secret, headers } = await resolved(this.#options.settings, signal);
      ({ href, origin } = new URL(url));
      const timestamp = String(Math.floor(Date.now() / 1_000));
      const signed = {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": timestamp,
        ...(span && { traceparent: span.traceparent }),
        ...(secret !== undefined && { "webhook-signature": signatures(secret, `${id}.${timestamp}.${body}`) }),
      };
      const delivery = { url, proxy, headers: { ...headers, ...signed }, body, readsBody, signal };
      const post = () => this.#poster.post(delivery);
      const answer = await (span ? span.run(post) : post());
      const verdict = verdictOf(answer, Date.now(), readsBody);
      span?.end({ "http.response.status_code": answer.status }, verdict.type === "taken" ? undefined : verdict.type);
      return verdict;
    } catch (error) {
      span?.end({}, "failed");
      const { name, message } = error as Error;
      if (error instanceof Unresolved) return failed(`the webhook's settings could not be resolved: ${message}`);
      if (name === "TimeoutError") {
        const step = waitsFor === undefined ? "" : `: ${waitsFor}`;
        return failed(`the receiver did not answer within ${timeout} ms${step}`);
      }
      // A message that names the whole URL would name its path and query, which may contain credentials.
      return failed(`the receiver could not be reached (${message.replaceAll(href, origin)})`);
    } finally {
      clearTimeout(timer);
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#abort = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#endPause = this.#abort;
    });
  }

  #onEnd(end: ReadEnd): void {
    if (this.#options.turns && mayPass(end)) {
      this.#lastError = typeof end === "string" ? "the messages that were pushed are not in the log" : end.detail;
      this.#readsAgain = setTimeout(() => this.#readOn(), READ_AGAIN_MS);
      return;
    }
    if (end !== "stopping") this.#lastError = typeof end === "string" ? "the journal no longer exists" : end.detail;
    this.stop();
  }
}

const failedReply = failedOutcome(
  { code: "invalid_request", sent: "no", detail: "it has more than 64 KiB, or is not UTF-8" },
  undefined,
);

/** True for an end of a shared journal that was not read: this replica has not read the log, or not all of it. */
function mayPass(end: ReadEnd): boolean {
  return typeof end === "string" ? end !== "stopping" : end.code === "upstream_down";
}

function failed(why: string): Verdict {
  return { type: "failed", why };
}

function isGap({ entries: [entry] }: WebhookBatch): boolean {
  return entry !== undefined && "gap" in entry;
}

/** One signature for each secret: while a secret is replaced, the receiver may know either. */
function signatures(secrets: string | readonly string[], content: string): string {
  return [secrets]
    .flat()
    .map((secret) => `v1,${sign(secret, content)}`)
    .join(" ");
}

/** The secret is text or, in the standard's form of `whsec_` and base64, bytes. */
function sign(secret: string, content: string): string {
  const key = secret.startsWith("whsec_") ? Buffer.from(secret.slice(6), "base64") : Buffer.from(secret);
  return createHmac("sha256", key).update(content).digest("base64");
}

/** Resolves the placeholders of a delivery attempt. @throws Unresolved */
async function resolved(settings: WebhookSettings, signal: AbortSignal): Promise<WebhookSecrets> {
  const { url, proxy, headers, secret } = settings;
  const outgoing: WebhookSecrets = { url, proxy, headers, secret };
  const files = new Map<string, string>();
  for (const path of placeholdersIn(outgoing).files) files.set(path, await readSecretFile(path, signal));
  const filled = fillPlaceholders(outgoing, (_, path) => files.get(path) ?? "", ALL_AT_ONCE);
  checkResolved(url, filled);
  for (const secret of [filled.secret ?? []].flat()) {
    const fault = faultOfKey(secret);
    if (fault !== undefined) throw new Unresolved(`the secret ${fault}`);
  }
  return filled;
}
