/** The callers that wait for an upstream to agree to their subscriptions. */

import { overdueAgreement } from "../../core/exchange/failures.ts";
import type { SubscriptionState } from "../../core/messages/subscriptions.ts";
import type { Outcome } from "../../core/outcome.ts";
import type { Failure, Sent } from "../../errors.ts";

interface KnownAgreement {
  readonly phase: SubscriptionState["phase"];
  /** True once the request has gone out. */
  readonly sent: Sent;
}

export class AgreementWaits {
  readonly #settle: (seq: number, outcome: Outcome) => void;
  readonly #known = new Map<string, KnownAgreement>();
  readonly #failures = new Map<string, Failure>();
  /** Those of one name may wait before the thread knows the subscription: it comes by another port. */
  readonly #waiting = new Map<string, Set<number>>();

  constructor(settle: (seq: number, outcome: Outcome) => void) {
    this.#settle = settle;
  }

  /** The subscriptions that callers wait for. */
  get size(): number {
    return this.#waiting.size;
  }

  /** A caller asks: it gets its outcome once that is known or, if it does not wait, now. */
  ask(seq: number, name: string, wait: boolean): void {
    const outcome = this.#outcome(name);
    if (!outcome && wait) {
      this.#waiting.set(name, (this.#waiting.get(name) ?? new Set()).add(seq));
      return;
    }
    const { phase, sent } = this.#known.get(name) ?? ({ phase: "waiting", sent: "no" } as const);
    this.#settle(seq, outcome ?? failed(overdueAgreement(phase, sent)));
  }

  /** A caller does not wait any longer. */
  abandon(seq: number): void {
    for (const [name, seqs] of this.#waiting) if (seqs.delete(seq) && seqs.size === 0) this.#waiting.delete(name);
  }

  onState(name: string, { phase, lastFailure }: SubscriptionState): void {
    const asked = phase === "asking" || phase === "active" || this.#known.get(name)?.sent === "maybe";
    this.#known.set(name, { phase, sent: asked ? "maybe" : "no" });
    if (lastFailure) this.#failures.set(name, lastFailure);
    this.#settleAll(name, this.#outcome(name));
  }

  onRemoved(name: string): void {
    const sent = this.#known.get(name)?.sent ?? "no";
    this.#known.delete(name);
    this.#failures.delete(name);
    const detail = "the subscription was deleted before the upstream agreed";
    this.#settleAll(name, failed({ code: "conflict", sent, detail }));
  }

  /** The exit has come to what is pending. */
  cancel(): void {
    for (const name of [...this.#waiting.keys()]) {
      const { sent = "no" } = this.#known.get(name) ?? {};
      const code = sent === "no" ? "shutting_down" : "cancelled";
      this.#settleAll(name, failed({ code, sent, detail: "the sidecar exited before the upstream agreed" }));
    }
  }

  #outcome(name: string): Outcome | undefined {
    const phase = this.#known.get(name)?.phase;
    if (phase === "active") return { type: "done" };
    const failure = this.#failures.get(name);
    return phase === "failed" && failure ? failed(failure) : undefined;
  }

  #settleAll(name: string, outcome: Outcome | undefined): void {
    if (!outcome) return;
    const seqs = this.#waiting.get(name) ?? [];
    this.#waiting.delete(name);
    for (const seq of seqs) this.#settle(seq, outcome);
  }
}

function failed(failure: Failure): Outcome {
  return { type: "failed", failure };
}
