/** The waits of callers who subscribe and unsubscribe, each with an end. */

import type { SubscriptionSettings } from "../../config/schema.ts";
import { overdueAgreement, ownedElsewhere, RETRY_SOON_MS } from "../../core/exchange/failures.ts";
import { type Failure, refused, type Sent, SidesocketError } from "../../errors.ts";
import type { UpstreamState } from "../contract.ts";
import { PatientTimer } from "../patient-timer.ts";
import type { SubscriptionInfo, UpstreamSubscriptions } from "./subscriptions.ts";
import type { LeaveSignal } from "./upstream-client.ts";

/** Calls its listeners when nobody may wait any longer, because the exit has begun. */
export interface StopNotice {
  readonly come: boolean;
  on(listener: () => void): number;
  off(listener: number): void;
}

interface SubscribedUpstream {
  readonly name: string;
  readonly settings: { readonly limits: { readonly subscriptions: number } };
  readonly state: UpstreamState;
  readonly subscriptions: UpstreamSubscriptions;
}

interface WantedSubscription {
  readonly name: string;
  readonly order: SubscriptionSettings;
  readonly timeoutMs: number;
  /** Aborts when the caller leaves. */
  readonly left?: LeaveSignal | undefined;
  readonly stopping: StopNotice;
  /** Called before the subscription is added; throws if the caller may not have another. */
  readonly admit?: () => void;
}

/**
 * Resolves when the upstream has agreed, at once if it has agreed to the same order before. On any other end, the
 * caller's leaving included, it rejects and removes the subscription, unless another caller waits for the same one.
 * @throws SidesocketError `conflict` if there is another subscription of this name
 */
export async function subscribe(upstream: SubscribedUpstream, wanted: WantedSubscription): Promise<void> {
  const existing = claim(upstream, wanted);
  if (existing && !upstream.subscriptions.watched(wanted.name)) return;
  if (!existing) wanted.admit?.();
  await agreed(upstream, wanted, existing);
}

/**
 * Looks for the same subscription.
 * @throws SidesocketError if there is another one of this name, if it has failed, if there is no room for a new one, or
 *   if another replica owns the upstream
 */
export function claim(
  { subscriptions, settings, state }: SubscribedUpstream,
  { name, order }: Pick<WantedSubscription, "name" | "order">,
): SubscriptionInfo | undefined {
  const existing = subscriptions.get(name);
  if (existing && !isSame(existing.settings, order)) {
    const detail = `a different subscription ${JSON.stringify(name)} exists: delete it, or choose another name`;
    throw refused("conflict", detail);
  }
  if (existing && !subscriptions.watched(name) && existing.phase === "failed" && existing.lastFailure) {
    throw new SidesocketError(existing.lastFailure);
  }
  if (!existing && state.owner?.self === false) throw new SidesocketError(ownedElsewhere);
  if (!existing && subscriptions.size >= settings.limits.subscriptions) {
    const detail = `limits.subscriptions (${settings.limits.subscriptions}) is reached: delete one or raise it`;
    throw refused("too_many_in_flight", detail, RETRY_SOON_MS);
  }
  return existing;
}

function agreed(
  { subscriptions, state: { phase: connection } }: SubscribedUpstream,
  { name, order, timeoutMs, left, stopping }: WantedSubscription,
  existing: SubscriptionInfo | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let phase = existing?.phase ?? "waiting";
    // On a ready connection the request goes out before we hear of it; an existing subscription may have sent its own.
    let sent: Sent = connection === "ready" || existing ? "maybe" : "no";
    const end = (settle: () => void) => {
      timer.clear();
      unwatch();
      stopping.off(onStop);
      left?.removeEventListener("abort", leave);
      settle();
    };
    const undo = (reason: unknown) => {
      end(() => reject(reason));
      if (!subscriptions.watched(name)) void subscriptions.remove(name);
    };
    const fail = (failure: Failure) => undo(new SidesocketError(failure));
    const leave = () => undo(left?.reason);
    const unwatch = subscriptions.watch(name, (state) => {
      if (state === undefined) {
        return fail({ code: "conflict", sent, detail: "the subscription was deleted before the upstream agreed" });
      }
      ({ phase } = state);
      if (phase === "asking") sent = "maybe";
      if (phase === "active") end(resolve);
      else if (phase === "failed" && state.lastFailure) fail(state.lastFailure);
    });
    const timer = new PatientTimer(() => fail(overdueAgreement(phase, sent)), timeoutMs);
    const onStop = stopping.on(() => {
      if (sent === "no") fail({ code: "shutting_down", sent, detail: "the service is shutting down" });
      else fail({ code: "cancelled", sent, detail: "the service stopped before the upstream agreed" });
    });
    left?.addEventListener("abort", leave, { once: true });
    if (!existing) subscriptions.add(name, order);
    if (left?.aborted) leave();
  });
}

/** True if two orders are equal, whether their messages are values, as in the configuration, or texts. */
function isSame(one: SubscriptionSettings, other: SubscriptionSettings): boolean {
  const [a, b] = [one, other].map(({ request, unsubscribe, ...rest }) => {
    const texts = [request, unsubscribe].map((each) => (typeof each === "string" ? each : JSON.stringify(each)));
    return JSON.stringify([rest, texts]);
  });
  return a === b;
}

/** @throws SidesocketError `conflict` for a subscription of the configuration, which no caller may remove */
export function demandUndeclared({ name: upstream, subscriptions }: SubscribedUpstream, name: string): void {
  if (!subscriptions.isDeclared(name)) return;
  const declared = `subscriptions.${name} of upstream ${upstream}`;
  throw refused("conflict", `the subscription belongs to the configuration: remove ${declared} there`);
}

/** Waits for the upstream to end a removed subscription. @returns why it is not known to have ended */
export async function unsubscribed(
  ended: Promise<Failure | undefined>,
  timeoutMs: number,
  stopping: StopNotice,
): Promise<Failure | undefined> {
  const unconfirmed = "the upstream did not confirm the end of the subscription";
  const failure = await new Promise<Failure | undefined>((resolve) => {
    const end = (failure: Failure | undefined) => {
      timer.clear();
      stopping.off(onStop);
      resolve(failure);
    };
    const stop = () => end({ code: "cancelled", sent: "maybe", detail: `${unconfirmed} before the service stopped` });
    const late = () => end({ code: "reply_timeout", sent: "maybe", detail: `${unconfirmed} in time` });
    const timer = new PatientTimer(late, timeoutMs);
    const onStop = stopping.on(stop);
    if (stopping.come) stop();
    void ended.then(end);
  });
  return failure && { ...failure, detail: `removed here, but ${failure.detail}` };
}
