/** Stream of events that happen: no journal keeps them, so a reader that is behind is told how many it missed. */

import type { Context } from "hono";
import { noMemory, RETRY_SOON_MS } from "../../core/exchange/failures.ts";
import { refused, SidesocketError } from "../../errors.ts";
import { demandAccepting } from "../demand-accepting.ts";
import type { Env } from "../env.ts";
import type { AppParts } from "../ports.ts";
import { commonHeaders } from "../problem.ts";
import { PacedResponse, streamHeaders } from "./paced-response.ts";
import { event, jsonText } from "./render.ts";
import { BEAT } from "./reply-stream.ts";

/** The streams of events that may be open, all together. */
const READERS_MAX = 64;
/** Milliseconds that an EventSource waits before it reconnects. */
const RETRY_MS = 2_000;

/** Sends an event to the reader. */
export type Emit = (type: string, data: object) => void;

export class EventStreams {
  readonly #parts: Pick<AppParts, "lifecycle" | "budget">;
  #open = 0;

  constructor(parts: Pick<AppParts, "lifecycle" | "budget">) {
    this.#parts = parts;
  }

  /**
   * Responds with the events that `subscribe` emits, until the reader leaves or the service stops.
   * @param subscribe returns a function that ends the emission
   * @throws SidesocketError if no more readers are taken
   */
  respond(c: Context<Env>, subscribe: (emit: Emit) => () => void): Response {
    const { lifecycle, budget } = this.#parts;
    demandAccepting(lifecycle);
    if (budget.refuses("streams")) throw new SidesocketError(noMemory(budget.limit, "another stream"));
    if (this.#open >= READERS_MAX) {
      const detail = `${READERS_MAX} streams of events are open already: close one`;
      throw refused("too_many_in_flight", detail, RETRY_SOON_MS);
    }
    const headers = streamHeaders(commonHeaders(c), "text/event-stream; charset=utf-8");
    // A response to HEAD has no body: nobody would read the stream.
    if (c.req.method === "HEAD") return c.body(null, 200, headers);
    this.#open++;
    let missed = 0;
    let end = () => {};
    const onEnd = () => {
      this.#open--;
      lifecycle.stopping.off(stop);
      end();
    };
    const paced = new PacedResponse({ resume: () => {}, left: () => {}, beat: () => BEAT }, budget, onEnd);
    const stop = lifecycle.stopping.on(() => paced.end(event("end", undefined, '{"reason":"shutting_down"}')));
    const response = paced.respond(c, headers);
    paced.write(`retry: ${RETRY_MS}\n\n`);
    end = subscribe((type, data) => {
      if (paced.room <= 0) {
        missed++;
        return;
      }
      const gap = missed > 0 ? event("gap", undefined, jsonText({ dropped: missed })) : "";
      missed = 0;
      paced.write(gap + event(type, undefined, jsonText(data)));
    });
    return response;
  }
}
