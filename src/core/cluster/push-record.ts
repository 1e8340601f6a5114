/** The record of how far the webhooks of a shared upstream have come, as the one member keeps it that pushes. */
import type { Cursor } from "../messages/journal.ts";

/** By webhook, the place before the first message that its receiver may not have. */
export type PushPlaces = ReadonlyMap<string, Cursor>;

export interface PushRecord {
  /** The keeper that wrote it: whoever begins to push writes it first, so that nobody else can any more. */
  readonly by: string;
  readonly places: PushPlaces;
}

export type PushEffect =
  /** Asks for the record. Reply: `found` or `lookFailed`. */
  | { readonly type: "look" }
  /** Replaces the record of this revision, 0 for none. Reply: `written`. */
  | { readonly type: "write"; readonly record: PushRecord; readonly after: number }
  /** This member pushes from here on, from these places. */
  | { readonly type: "push"; readonly places: PushPlaces }
  /** It begins no push from here on. `why` is set if the record is to blame. */
  | { readonly type: "rest"; readonly why?: string | undefined }
  /** Everything up to the place of this number is kept. */
  | { readonly type: "kept"; readonly seq: number };

/** The time from one write to the next, in milliseconds: what comes meanwhile is written at once. */
const WRITE_EVERY_MS = 250;
/** The pause after a call that failed, in milliseconds. */
const RETRY_MS = 250;
/** The most places in a record. Those of webhooks that nobody has any more are the first to be forgotten. */
const PLACES_MAX = 1_000;

/**
 * Each write follows the revision of the one before it, so that a member which has been replaced can change nothing any
 * more, however late it learns of that. One call is on its way at a time.
 */
export class PushRecordKeeper {
  readonly #name: string;
  #mayPush = false;
  #pushes = false;
  #isEnding = false;
  #isCalling = false;
  /** The revision to follow; undefined if the record must be looked at first. */
  #revision: number | undefined;
  #places = new Map<string, Cursor>();
  /** The numbers of the newest places: that came, that are being written, and that are kept. */
  #newest = 0;
  #written = 0;
  #kept = 0;
  #notBefore = Number.NEGATIVE_INFINITY;

  /** @param name a name that no other keeper has */
  constructor(name: string) {
    this.#name = name;
  }

  /** True once every place is in the record, or the record is another member's. */
  get isKept(): boolean {
    return this.#kept === this.#newest;
  }

  /** The time of the next `tick`; undefined while there is nothing to wait for. */
  get wakeAt(): number | undefined {
    return this.#isDue ? this.#notBefore : undefined;
  }

  /** This member may push from here on, or must not any more: the lease decides. */
  permit(mayPush: boolean, now: number): readonly PushEffect[] {
    this.#mayPush = mayPush && !this.#isEnding;
    const rest = this.#pushes && !this.#mayPush ? this.#rest() : [];
    return [...rest, ...this.#call(now)];
  }

  /** This member leaves: it begins no push any more, and writes what comes at once. */
  end(now: number): readonly PushEffect[] {
    this.#isEnding = true;
    this.#notBefore = now;
    return this.permit(false, now);
  }

  /** The receiver of a webhook has everything up to a place. */
  pushed(seq: number, webhook: string, place: Cursor, now: number): readonly PushEffect[] {
    this.#newest = seq;
    this.#places.delete(webhook);
    this.#places.set(webhook, place);
    const [oldest] = this.#places.keys();
    if (this.#places.size > PLACES_MAX && oldest !== undefined) this.#places.delete(oldest);
    return this.#call(now);
  }

  found(record: PushRecord | undefined, revision: number, now: number): readonly PushEffect[] {
    this.#isCalling = false;
    this.#revision = revision;
    // Without a record, or after a write of ours whose outcome is unknown, what we have is as new.
    if (!record || record.by === this.#name) return this.#call(now);
    this.#places = new Map(record.places);
    const rest = this.#pushes ? this.#rest() : [];
    return [...rest, ...this.#keep(this.#newest), ...this.#call(now)];
  }

  lookFailed(why: string, now: number): readonly PushEffect[] {
    this.#isCalling = false;
    this.#notBefore = now + RETRY_MS;
    return this.#mayPush && !this.#pushes ? [{ type: "rest", why }] : [];
  }

  /** `lost`: the record has another revision; `unknown`: nobody knows whether it was written. */
  written(outcome: number | "lost" | "unknown", now: number): readonly PushEffect[] {
    this.#isCalling = false;
    if (typeof outcome !== "number") {
      this.#revision = undefined;
      if (outcome === "unknown") this.#notBefore = now + RETRY_MS;
      return this.#call(now);
    }
    this.#revision = outcome;
    this.#notBefore = this.#isEnding ? now : now + WRITE_EVERY_MS;
    const kept = this.#keep(this.#written);
    if (!this.#mayPush || this.#pushes) return [...kept, ...this.#call(now)];
    this.#pushes = true;
    return [...kept, { type: "push", places: new Map(this.#places) }, ...this.#call(now)];
  }

  tick(now: number): readonly PushEffect[] {
    return this.#call(now);
  }

  get #isDue(): boolean {
    return !this.#isCalling && ((this.#mayPush && !this.#pushes) || !this.isKept);
  }

  #call(now: number): readonly PushEffect[] {
    if (!this.#isDue || now < this.#notBefore) return [];
    this.#isCalling = true;
    if (this.#revision === undefined) return [{ type: "look" }];
    this.#written = this.#newest;
    const record = { by: this.#name, places: new Map(this.#places) };
    return [{ type: "write", record, after: this.#revision }];
  }

  #rest(): readonly PushEffect[] {
    this.#pushes = false;
    return [{ type: "rest" }];
  }

  #keep(seq: number): readonly PushEffect[] {
    if (this.#kept === seq) return [];
    this.#kept = seq;
    return [{ type: "kept", seq }];
  }
}
