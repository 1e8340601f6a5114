/** The effects of an exchange: what its shell must carry out, in order. */
import type { Body } from "../../protocols/protocol.ts";
import type { HeldAnswer } from "../messages/held-answers.ts";
import type { Outcome } from "../outcome.ts";
import type { Owner, SentEntry } from "./request-table.ts";

export type ExchangeEffect =
  /** Hand the frame to the socket of the entry's connection, and report with `onWritten` whether it was taken. */
  | { readonly type: "write"; readonly entry: SentEntry; readonly frame: Body }
  | { readonly type: "settle"; readonly owner: Owner; readonly seq: number; readonly outcome: Outcome }
  /** A caller's stream that subscribes was handed to the socket. */
  | { readonly type: "begun"; readonly seq: number }
  /** A frame of the reply to a caller's stream, and not the last. */
  | { readonly type: "part"; readonly seq: number; readonly body: Body }
  /** The late outcome of a request that had timed out. */
  | { readonly type: "late"; readonly owner: Owner; readonly seq: number; readonly outcome: Outcome }
  /** Send a frame of ours: the reply to a request of the upstream's, or the cancellation of a stream. */
  | { readonly type: "send"; readonly connection: number; readonly frame: Body }
  /**
   * An unsolicited message. `json`: the protocol has already parsed it as JSON. `answer`: the upstream gets it once the
   * message has been delivered. `replyOver`: it is a request of the upstream's own, which came over this connection.
   */
  | {
      readonly type: "message";
      readonly frame: Body;
      readonly json?: true | undefined;
      readonly answer?: HeldAnswer | undefined;
      readonly replyOver?: number | undefined;
    }
  /** Ping the peer: its pong turns `maybe` into `yes`. */
  | { readonly type: "probe" }
  /** Replies can no longer be told apart on this connection: open a new one. */
  | { readonly type: "renew"; readonly detail: string };

const none: ExchangeEffect[] = [];

/** Collects the effects of one input in order. Nearly every input has exactly one. */
export class Effects {
  #collected = none;

  push(effect: ExchangeEffect): void {
    if (this.#collected === none) this.#collected = [effect];
    else this.#collected.push(effect);
  }

  take(): readonly ExchangeEffect[] {
    const effects = this.#collected;
    this.#collected = none;
    return effects;
  }
}
