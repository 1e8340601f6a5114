import { createHmac } from "node:crypto";
import type { WebhookSettings } from "../config/schema.ts";
import { cursorText, type Page, type Start } from "../core/messages/journal.ts";
import { fullJitter } from "../core/util/backoff.ts";
import type { WebhookState } from "../http/ports.ts";
import { jsonOf } from "../http/streaming/render.ts";
import type { JournalPulls, ReadEnd } from "../sidecar/host/journal-pulls.ts";
import { JournalReader } from "../sidecar/host/journal-reader.ts";

/**
 * Messages pushed to a receiver: in their order, in batches, one request at a time. A batch is sent until it is
 * acknowledged by a 2xx, always with the same body and id: at least once, and a receiver can tell the second time. It
 * reads like any other reader, so a receiver that is dead holds up nobody, and finds a gap when it was away too long.
 * Headers and signature are those of Standard Webhooks 1.0.0.
 */

const RETRY_FROM_MS = 500;
const RETRY_TO_MS = 60_000;

interface WebhookBatch {
  readonly id: string;
  readonly body: string;
}

export interface WebhookOptions {
  readonly upstream: string;
  readonly settings: WebhookSettings;
  readonly journals: JournalPulls;
  /** Told when deliveries begin to fail, and when they succeed again. */
  onChange(state: WebhookState): void;
}

export class Webhook {
  readonly #options: WebhookOptions;
  readonly #reader: JournalReader;
  /** What is on its way, or waited for, is given up by this. */
  #giveUp: () => void = () => {};
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
    const selection = { journal: settings.subscription ?? "", where };
    const after: Start = settings.after;
    const sink = {
      wants: () => !this.#delivering,
      page: (page: Page) => this.#take(page),
      end: (end: ReadEnd) => this.#end(end),
    };
    this.#reader = new JournalReader(journals, selection, after, sink, settings.batch);
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

  /** Gives up what is on its way. */
  stop(): void {
    this.#stopped = true;
    this.#giveUp();
    this.#reader.close();
  }

  #take({ epoch, entries, next }: Page): void {
    const { upstream, settings } = this.#options;
    const cursor = cursorText({ epoch, seq: next });
    const messages = entries.map((entry) => jsonOf(epoch, entry)).join(",");
    const about = JSON.stringify({ upstream, subscription: settings.subscription, next: cursor });
    const body = `${about.slice(0, -1)},"messages":[${messages}]}`;
    this.#delivering = true;
    this.#deliver({ id: `${upstream}.${cursor}`, body }).then((acknowledged) => {
      if (!acknowledged) return;
      this.#acknowledged = cursor;
      this.#delivered += entries.length;
      this.#delivering = false;
      this.#reader.resume();
    });
  }

  /** @returns true when it was acknowledged; false when everything stops before */
  async #deliver(batch: WebhookBatch): Promise<boolean> {
    for (;;) {
      const why = await this.#attempt(batch);
      if (this.#stopped) return false;
      const failed = this.#failures > 0;
      this.#failures = why === undefined ? 0 : this.#failures + 1;
      this.#lastError = why ?? this.#lastError;
      if (failed !== (why !== undefined)) this.#options.onChange(this.state);
      if (why === undefined) return true;
      await this.#pause(fullJitter(this.#failures - 1, RETRY_FROM_MS, RETRY_TO_MS, Math.random()));
      if (this.#stopped) return false;
    }
  }

  /** Why it was not acknowledged; undefined when it was. */
  async #attempt({ id, body }: WebhookBatch): Promise<string | undefined> {
    const { url, secret, timeout, headers } = this.#options.settings;
    const timestamp = String(Math.floor(Date.now() / 1_000));
    const signed = {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": timestamp,
      ...(secret !== undefined && { "webhook-signature": `v1,${sign(secret, `${id}.${timestamp}.${body}`)}` }),
    };
    // Its own, and not one of AbortSignal.any: on Node 20 each of those leaves a little behind in a signal that lives on.
    const attempt = new AbortController();
    this.#giveUp = () => attempt.abort();
    const timer = setTimeout(() => attempt.abort(new DOMException("", "TimeoutError")), timeout);
    try {
      const { signal } = attempt;
      const request = { method: "POST", headers: { ...headers, ...signed }, body, redirect: "manual", signal } as const;
      const response = await fetch(url, request);
      await response.body?.cancel();
      return response.ok ? undefined : `the receiver answered ${response.status}`;
    } catch (error) {
      const { name, message, cause } = error as Error;
      if (name === "TimeoutError") return `the receiver did not answer within ${timeout} ms`;
      const why = cause instanceof Error ? cause.message : message;
      // On Deno it names the whole address, of which the path and the query may be what lets one in.
      return `the receiver could not be reached (${why.replaceAll(new URL(url).href, new URL(url).origin)})`;
    } finally {
      clearTimeout(timer);
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#giveUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #end(end: ReadEnd): void {
    if (end !== "stopping") this.#lastError = typeof end === "string" ? "there are no such messages" : end.detail;
    this.stop();
  }
}

/** The secret is text; in the form of the standard, `whsec_` and base64, it is bytes. */
function sign(secret: string, content: string): string {
  const key = secret.startsWith("whsec_") ? Buffer.from(secret.slice(6), "base64") : Buffer.from(secret);
  return createHmac("sha256", key).update(content).digest("base64");
}
