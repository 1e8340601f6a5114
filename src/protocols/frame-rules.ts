/** The rules by which `json` and `text` classify frames with an id of ours, and tell where a reply ends. */

import { type Condition, compile, compileAny, type FrameText, readsOf, type Test } from "./condition.ts";
import type { Body, FrameWithId, WireId } from "./protocol.ts";
import { joinedReads, type Reads } from "./reads.ts";

/** One of these ends a request; or with `all_of` all of them do, each met by any frame of the reply, in any order. */
export type Final<Rule> = readonly Rule[] | { readonly all_of: readonly Rule[] };

/** The most conditions of `all_of`: which ones have been met is kept as bits of one number. */
export const ALL_OF_MAX = 16;

/** The rules as the settings have them. */
interface RuleOptions {
  readonly reply?: Condition | undefined;
  readonly skip?: readonly Condition[] | undefined;
  readonly final?: Final<Condition> | undefined;
  readonly collect?: object | undefined;
}

interface Judgement {
  readonly type: "reply" | "part" | "progress" | "message";
  /** The conditions of `all_of` that the frame meets, as bits. */
  readonly met: number;
}

const MESSAGE: Judgement = { type: "message", met: 0 };
const PROGRESS: Judgement = { type: "progress", met: 0 };
const PART: Judgement = { type: "part", met: 0 };
const REPLY: Judgement = { type: "reply", met: 0 };

export class FrameRules {
  readonly #isReply: Test | undefined;
  readonly #isSkipped: Test | undefined;
  readonly #allOf: readonly Test[];
  readonly #anyOf: readonly Test[] | undefined;
  /** The bits of all conditions of `all_of`. */
  readonly #all: number;
  /** True if the first frame is the whole reply. */
  readonly #isShort: boolean;
  /** True if the frames before the last one belong to the reply. */
  readonly #collects: boolean;
  readonly reads: Reads;

  /** Throws if a pointer is invalid or a condition is empty. */
  constructor({ reply, skip, final, collect }: RuleOptions) {
    const compileAll = (conditions: readonly Condition[]) => conditions.map((condition) => compile(condition));
    this.#isReply = reply && compile(reply);
    this.#isSkipped = skip && compileAny(skip);
    this.#allOf = final && "all_of" in final ? compileAll(final.all_of) : [];
    this.#anyOf = final && !("all_of" in final) ? compileAll(final) : undefined;
    this.#all = 2 ** this.#allOf.length - 1;
    this.#isShort = final === undefined;
    this.#collects = collect !== undefined;
    const ends = final === undefined ? [] : "all_of" in final ? final.all_of : final;
    this.reads = joinedReads(...[...(reply ? [reply] : []), ...(skip ?? []), ...ends].map(readsOf));
  }

  judge(frame: FrameText): Judgement {
    if (this.#isReply?.(frame) === false) return MESSAGE;
    if (this.#isSkipped?.(frame)) return PROGRESS;
    if (this.#isShort || this.#anyOf?.some((test) => test(frame))) return REPLY;
    const met = this.#allOf.reduce((bits, test, at) => (test(frame) ? bits | (1 << at) : bits), 0);
    if (this.#all > 0 && met === this.#all) return REPLY;
    if (met > 0) return { type: this.#collects ? "part" : "progress", met };
    return this.#collects ? PART : PROGRESS;
  }

  /** The frame that a judgement is about. `gather`: as in a reply of several frames. */
  framed(
    { type, met }: Judgement & { readonly type: "reply" | "part" | "progress" },
    id: WireId,
    render: (own: unknown) => Body,
    gather: ((frames: readonly Body[]) => Body) | undefined,
  ): FrameWithId {
    const end =
      gather === undefined ? { type: "reply" as const, id, render } : { type: "reply" as const, id, render, gather };
    if (type === "reply") return end;
    return met === 0 ? { type, id, render } : { type, id, render, towards: { met, all: this.#all, end } };
  }
}
