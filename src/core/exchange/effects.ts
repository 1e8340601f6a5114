import type { Body } from "../../protocols/protocol.ts";
import type { Outcome } from "../outcome.ts";
import type { Owner, SentEntry } from "./request-table.ts";

/** What the exchange wants done. */
export type ExchangeEffect =
  /** Hand this frame to the socket, and say with `written` whether it was taken. */
  | { readonly type: "write"; readonly entry: SentEntry; readonly frame: Body }
  | { readonly type: "settle"; readonly owner: Owner; readonly seq: number; readonly outcome: Outcome }
  /** A caller's stream that subscribes was handed to the socket. */
  | { readonly type: "begun"; readonly seq: number }
  /** A frame of the reply to a caller's stream, and not the last. */
  | { readonly type: "part"; readonly seq: number; readonly body: Body }
  /** A request that had timed out has ended after all. */
  | { readonly type: "late"; readonly owner: Owner; readonly seq: number; readonly outcome: Outcome }
  /** Answers a request of the upstream's own, or ends a stream that nobody reads any more. */
  | { readonly type: "answer"; readonly connection: number; readonly frame: Body }
  /** The upstream said this unasked. `json`: the protocol has read it as JSON. */
  | { readonly type: "message"; readonly frame: Body; readonly json?: true | undefined }
  /** Ask the peer for a sign of life, so that `maybe` can become `yes`. */
  | { readonly type: "probe" }
  /** Replies can no longer be told apart on this connection: begin a new one. */
  | { readonly type: "renew"; readonly detail: string };

const none: ExchangeEffect[] = [];

/** Gathers, in order, what one input makes necessary: nearly always one thing. */
export class Effects {
  #gathered = none;

  push(effect: ExchangeEffect): void {
    if (this.#gathered === none) this.#gathered = [effect];
    else this.#gathered.push(effect);
  }

  take(): readonly ExchangeEffect[] {
    const effects = this.#gathered;
    this.#gathered = none;
    return effects;
  }
}
