/** The webhook: delivers a journal's messages to a receiver, in order and in batches. */
import { createHmac } from "node:crypto";
import type { WebhookSettings } from "../config/schema.ts";
import { cursorText, type Page, type Start } from "../core/messages/journal.ts";
import { fullJitter } from "../core/util/backoff.ts";
import type { WebhookState } from "../http/ports.ts";
import { jsonOf } from "../http/streaming/render.ts";
import { fillPlaceholders, placeholdersIn } from "../placeholders.ts";
import { checkResolved, readSecretFile, Unresolved } from "../secret-file.ts";
import type { JournalPulls, ReadEnd } from "../sidecar/host/journal-pulls.ts";
import { JournalReader } from "../sidecar/host/journal-reader.ts";

const RETRY_FROM_MS = 500;
const RETRY_TO_MS = 60_000;

/** The least length of a secret; the schema has the same for one that is written out. */
const SECRET_MIN = 8;

/** The settings of a webhook whose texts go out. */
type WebhookSecrets = Pick<WebhookSettings, "url" | "headers" | "secret">;

interface WebhookBatch {
  readonly id: string;
  readonly body: string;
}

export interface WebhookOptions {
  readonly upstream: string;
  readonly settings: WebhookSettings;
  readonly journals: JournalPulls;
  /** Called when deliveries begin to fail, and when they succeed again. */
  onChange(state: WebhookState): void;
}

/**
 * Sends one request at a time and repeats a batch, with the same body and id, until a 2xx acknowledges it: delivery is
 * at least once, and the receiver can recognize a repetition. A webhook reads the journal like any other reader, so a
 * dead receiver delays no one else, and finds a gap if it was away for too long. Headers and signature follow Standard
 * Webhooks 1.0.0.
 */
export class Webhook {
  readonly #options: WebhookOptions;
  readonly #reader: JournalReader;
  /** Aborts the request in flight, or the pause before the next one. */
  #abort: () => void = () => {};
  #stopped = false;
  #delivering = false;
  #acknowledged: string | null = null;
  #delivered = 0;
  #failures = 0;
  #lastError: string | null = null;

  constructor(options: WebhookOptions) {
    this.#options = options;
    const { journals, settings } = options;
    const where = Object.entries(settings.where).map(([pointer, value]) => ({ pointer, value: String(value) }));
    const selection = { journal: settings.subscription ?? "", where, when: settings.when };
    const after: Start = settings.after;
    const consumer = {
      wants: () => !this.#delivering,
      page: (page: Page) => this.#onPage(page),
      end: (end: ReadEnd) => this.#onEnd(end),
    };
    this.#reader = new JournalReader(journals, selection, after, consumer, settings.batch);
    this.#reader.resume();
  }

  get state(): WebhookState {
    return {
      url: new URL(this.#options.settings.url).origin,
      acknowledged: this.#acknowledged,
      delivered: this.#delivered,
      failures: this.#failures,
      lastError: this.#lastError,
    };
  }

  /** Aborts a delivery in flight. */
  stop(): void {
    this.#stopped = true;
    this.#abort();
    this.#reader.close();
  }

  #onPage({ epoch, entries, next }: Page): void {
    const { upstream, settings } = this.#options;
    const cursor = cursorText({ epoch, seq: next });
    const messages = entries.map((entry) => jsonOf(epoch, entry)).join(",");
    const header = JSON.stringify({ upstream, subscription: settings.subscription, next: cursor });
    const body = `${header.slice(0, -1)},"messages":[${messages}]}`;
    this.#delivering = true;
    this.#deliver({ id: `${upstream}.${cursor}`, body }).then((acknowledged) => {
      if (!acknowledged) return;
      this.#acknowledged = cursor;
      this.#delivered += entries.length;
      this.#delivering = false;
      this.#reader.resume();
    });
  }

  /** @returns true once the batch is acknowledged; false if the webhook is stopped before */
  async #deliver(batch: WebhookBatch): Promise<boolean> {
    for (;;) {
      const error = await this.#attempt(batch);
      if (this.#stopped) return false;
      const wasFailing = this.#failures > 0;
      this.#failures = error === undefined ? 0 : this.#failures + 1;
      this.#lastError = error ?? this.#lastError;
      if (wasFailing !== (error !== undefined)) this.#options.onChange(this.state);
      if (error === undefined) return true;
      await this.#pause(fullJitter(this.#failures - 1, RETRY_FROM_MS, RETRY_TO_MS, Math.random()));
      if (this.#stopped) return false;
    }
  }

  /** Returns the reason why the batch was not acknowledged; undefined if it was. */
  async #attempt({ id, body }: WebhookBatch): Promise<string | undefined> {
    const { timeout } = this.#options.settings;
    let origin = "";
    let href = "";
    // Not AbortSignal.any: on Node 20, each call leaks a little memory into a signal that outlives it.
    const attempt = new AbortController();
    this.#abort = () => attempt.abort();
    const timer = setTimeout(() => attempt.abort(new DOMException("", "TimeoutError")), timeout);
    try {
      const { signal } = attempt;
      const { url, secret, headers } = await resolved(this.#options.settings, signal);
      ({ href, origin } = new URL(url));
      const timestamp = String(Math.floor(Date.now() / 1_000));
      const signed = {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": timestamp,
        ...(secret !== undefined && { "webhook-signature": `v1,${sign(secret, `${id}.${timestamp}.${body}`)}` }),
      };
      const request = { method: "POST", headers: { ...headers, ...signed }, body, redirect: "manual", signal } as const;
      const response = await fetch(url, request);
      await response.body?.cancel();
      return response.ok ? undefined : `the receiver answered ${response.status}`;
    } catch (error) {
      const { name, message, cause } = error as Error;
      if (error instanceof Unresolved) return `the webhook's settings could not be resolved: ${message}`;
      if (name === "TimeoutError") return `the receiver did not answer within ${timeout} ms`;
      const reason = cause instanceof Error ? cause.message : message;
      // Deno's message names the whole URL, whose path and query may contain credentials.
      return `the receiver could not be reached (${reason.replaceAll(href, origin)})`;
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
    });
  }

  #onEnd(end: ReadEnd): void {
    if (end !== "stopping") this.#lastError = typeof end === "string" ? "the journal no longer exists" : end.detail;
    this.stop();
  }
}

/** The secret is text or, in the standard's form of `whsec_` and base64, bytes. */
function sign(secret: string, content: string): string {
  const key = secret.startsWith("whsec_") ? Buffer.from(secret.slice(6), "base64") : Buffer.from(secret);
  return createHmac("sha256", key).update(content).digest("base64");
}

/** Resolves the placeholders of a delivery attempt. @throws Unresolved */
async function resolved(settings: WebhookSettings, signal: AbortSignal): Promise<WebhookSecrets> {
  const { url, headers, secret } = settings;
  const outgoing: WebhookSecrets = { url, headers, secret };
  const files = new Map<string, string>();
  for (const path of placeholdersIn(outgoing).files) files.set(path, await readSecretFile(path, signal));
  const filled = fillPlaceholders(outgoing, (_, path) => files.get(path) ?? "");
  checkResolved(url, filled);
  if (filled.secret !== undefined && filled.secret.length < SECRET_MIN) {
    throw new Unresolved(`the secret has fewer than ${SECRET_MIN} characters`);
  }
  return filled;
}
