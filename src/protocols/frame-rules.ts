/** The rules by which `json` and `text` classify frames with an id of ours, and tell where a reply ends. */

import type { Body, FrameWithId, WireId } from "./protocol.ts";

/** One of these ends a request; or with `all_of` all of them do, each met by any frame of the reply, in any order. */
export type Final<Rule> = readonly Rule[] | { readonly all_of: readonly Rule[] };

/** The most conditions of `all_of`: which ones have been met is kept as bits of one number. */
export const ALL_OF_MAX = 16;

type Holds<Frame> = (frame: Frame) => boolean;

interface Tests<Frame> {
  readonly isReply: Holds<Frame> | undefined;
  readonly isSkipped: Holds<Frame> | undefined;
  readonly final: Final<Holds<Frame>> | undefined;
  /** True if the frames before the last one belong to the reply. */
  readonly collects: boolean;
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

/** The rules in a settings' `final`. */
export function rulesOf<Rule>(final: Final<Rule>): readonly Rule[] {
  return "all_of" in final ? final.all_of : final;
}

export class FrameRules<Frame> {
  readonly #tests: Tests<Frame>;
  readonly #allOf: readonly Holds<Frame>[];
  readonly #anyOf: readonly Holds<Frame>[] | undefined;
  /** The bits of all conditions of `all_of`. */
  readonly #all: number;

  constructor(tests: Tests<Frame>) {
    const { final } = tests;
    this.#tests = tests;
    this.#allOf = final && "all_of" in final ? final.all_of : [];
    this.#anyOf = final && !("all_of" in final) ? final : undefined;
    this.#all = 2 ** this.#allOf.length - 1;
  }

  judge(frame: Frame): Judgement {
    const { isReply, isSkipped, final, collects } = this.#tests;
    if (isReply && !isReply(frame)) return MESSAGE;
    if (isSkipped?.(frame)) return PROGRESS;
    if (final === undefined || this.#anyOf?.some((test) => test(frame))) return REPLY;
    const met = this.#allOf.reduce((bits, test, at) => (test(frame) ? bits | (1 << at) : bits), 0);
    if (this.#all > 0 && met === this.#all) return REPLY;
    if (met > 0) return { type: collects ? "part" : "progress", met };
    return collects ? PART : PROGRESS;
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
