/** Kept replies of other replicas: asked for where they are kept, and answered for here. */

import {
  decodeKeptAnswer,
  decodeKeptQuestion,
  encodeKeptAnswer,
  encodeKeptQuestion,
  type KeptAnswer,
  type KeptQuestion,
} from "../../cluster/kept-messages.ts";
import { RETRY_SOON_MS } from "../../core/exchange/failures.ts";
import type { KeptState } from "../../core/kept-replies.ts";
import { type Failure, SidesocketError } from "../../errors.ts";
import type { AnswerHeld, HolderAnswer } from "../../sidecar/host/held-things.ts";
import type { LeaveSignal } from "../../sidecar/host/upstream-client.ts";
import type { AppParts } from "../ports.ts";
import { holderOf, type ReplyKeeper } from "../reply-keeper.ts";
import type { StopSignal } from "../stop-signal.ts";
import { hasEnded } from "./detached.ts";
import { type HolderPort, wayToOthers } from "./holder.ts";

/** The longest wait of one question: one that has died meanwhile is noticed by the next. */
const SLICE_MS = 2_000;
/** The time after a wait for its answer, until one asks if anybody is there. */
const DOUBT_MS = 1_000;
/** The time for the answer to a question that waits for nothing. A stopped replica is not gone for the server. */
const SILENCE_MS = 3_000;
/** A part of a wait that is too short to ask for. */
const REST_MS = 50;
/** The pauses after which one asks again where nobody is: a replica that has lost NATS dials again within a second. */
const PAUSES_MS = [100, 300, 600, 1_000];

export interface KeptFound {
  readonly upstream: string;
  readonly state: KeptState;
}

interface Signals {
  readonly left: LeaveSignal;
  readonly stopping: StopSignal;
}

/** @returns undefined if this replica is the one to know */
export function replyElsewhere(
  { keeper, upstreams }: Pick<AppParts, "keeper" | "upstreams">,
  question: KeptQuestion,
  signals: Signals,
): Promise<KeptFound> | undefined {
  const { id, owner } = question;
  const holder = holderOf(id);
  if (holder === undefined || keeper.isOf(owner, id)) return undefined;
  if ([...upstreams.values()].some(({ held }) => held?.address === holder)) return undefined;
  const way = wayToOthers(upstreams);
  if (way === undefined) return undefined;
  if (way === "down") return Promise.reject(new SidesocketError(FAILURES.apart));
  return askHolder(way, holder, question, signals).then((found) => {
    if (upstreams.has(found.upstream)) return found;
    // While a new configuration reaches one replica after the other, this one may not know it yet.
    throw new SidesocketError(unasked(`this replica has no upstream ${found.upstream}, unlike the one with the reply`));
  });
}

/**
 * Asks until the reply has come, or the wait is over.
 * @throws SidesocketError as the other replica says; `gone` if it is; `upstream_down` if it cannot be asked now
 */
export async function askHolder(
  held: HolderPort,
  holder: string,
  question: KeptQuestion,
  { left, stopping }: Signals,
  now: () => number = () => performance.now(),
): Promise<KeptFound> {
  const until = now() + question.withinMs;
  for (;;) {
    const leftMs = Math.max(0, until - now());
    const withinMs = stopping.come || leftMs < REST_MS ? 0 : Math.ceil(Math.min(leftMs, SLICE_MS));
    const asked = now();
    const found = await askOnce(held, holder, { ...question, withinMs }, { left, stopping });
    if (left.aborted) throw left.reason;
    if (found === "cut") continue;
    // It answers early if it is about to stop: to ask again would not end.
    if (hasEnded(found.state) || withinMs === 0 || now() - asked < withinMs - REST_MS) return found;
  }
}

/** @returns `cut` if this replica begins to stop meanwhile: then only what is known now is asked for */
async function askOnce(
  held: HolderPort,
  holder: string,
  question: KeptQuestion,
  { left, stopping }: Signals,
): Promise<KeptFound | "cut"> {
  const ending = new AbortController();
  const end = () => ending.abort();
  const listener = question.withinMs > 0 ? stopping.on(end) : undefined;
  left.addEventListener("abort", end, { once: true });
  if (left.aborted) end();
  try {
    const ask = (withinMs: number, silenceMs: number) => {
      const bytes = encodeKeptQuestion({ ...question, withinMs });
      return held.ask(holder, bytes, withinMs + silenceMs, ending.signal);
    };
    let answer: HolderAnswer = question.withinMs > 0 ? await ask(question.withinMs, DOUBT_MS) : "silent";
    // One that was killed meanwhile answers nothing: only a new question tells that nobody is there.
    if (answer === "silent") answer = await ask(0, SILENCE_MS);
    for (const pauseMs of PAUSES_MS) {
      if (answer !== "apart" || ending.signal.aborted) break;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      answer = await ask(0, SILENCE_MS);
    }
    return ending.signal.aborted ? "cut" : foundIn(answer);
  } finally {
    if (listener !== undefined) stopping.off(listener);
    left.removeEventListener("abort", end);
  }
}

function foundIn(bytes: HolderAnswer): KeptFound {
  if (typeof bytes === "string") throw new SidesocketError(FAILURES[bytes]);
  let answer: KeptAnswer;
  try {
    answer = decodeKeptAnswer(bytes);
  } catch (error) {
    throw new SidesocketError({ code: "upstream_down", sent: "maybe", detail: (error as Error).message });
  }
  if (answer.type === "refused") throw new SidesocketError(answer.failure);
  return answer;
}

/** The request itself may have been sent, whatever became of its reply. */
const unasked = (detail: string): Failure => ({
  code: "upstream_down",
  sent: "maybe",
  detail: `${detail}: fetch the reply again`,
  retryAfterMs: RETRY_SOON_MS,
});

const FAILURES: Readonly<Record<Exclude<HolderAnswer, Uint8Array>, Failure>> = {
  nobody: {
    code: "gone",
    sent: "maybe",
    detail: "the replica that kept the reply is gone, or has replaced its upstream",
  },
  apart: unasked("the replica that keeps the reply cannot be reached now"),
  lost: unasked("the contact with the replica that keeps the reply was lost"),
  silent: unasked("the replica that keeps the reply does not answer"),
  full: {
    code: "too_many_in_flight",
    sent: "maybe",
    detail: "too many replies of other replicas are being fetched: try again",
    retryAfterMs: RETRY_SOON_MS,
  },
};

/** Answers other replicas, for their callers, as a caller would be answered here. */
export function answersFor(keeper: ReplyKeeper, stopping: StopSignal): AnswerHeld {
  return async (bytes, left) => {
    try {
      const { id, owner, withinMs } = decodeKeptQuestion(bytes);
      const kept = keeper.find(id, owner);
      const { upstream } = kept;
      if (left.aborted) return encodeKeptAnswer({ type: "kept", upstream, state: kept.state });
      const state = await keeper.wait(kept, hasEnded, Math.min(withinMs, SLICE_MS), { left, stopping });
      return encodeKeptAnswer({ type: "kept", upstream, state });
    } catch (error) {
      const failure =
        error instanceof SidesocketError
          ? error.failure
          : ({ code: "upstream_down", sent: "maybe", detail: (error as Error).message } as const);
      return encodeKeptAnswer({ type: "refused", failure });
    }
  };
}
