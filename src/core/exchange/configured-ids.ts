/** The ids of the frames that the configuration sends: drawn as for requests, and found again in their replies. */

import type { Body, Decoded, FrameWithId, Protocol, WireId } from "../../protocols/protocol.ts";
import type { ConfiguredBy, FrameOrigin } from "../connection/frame-origin.ts";
import type { ConfiguredFrame } from "./configured-frames.ts";
import type { DeliveryProofs } from "./delivery-proofs.ts";
import type { InFlight } from "./in-flight.ts";

const REQUEST: FrameOrigin = { type: "request" };
const ANSWERED: FrameOrigin = { type: "answered" };
const IGNORED: FrameOrigin = { type: "ignored" };

export class ConfiguredIds {
  readonly #protocol: Protocol;
  readonly #requests: InFlight;
  readonly #delivery: DeliveryProofs;

  constructor(protocol: Protocol, requests: InFlight, delivery: DeliveryProofs) {
    this.#protocol = protocol;
    this.#requests = requests;
    this.#delivery = delivery;
  }

  /** Keeps the ids of frames that will be sent from callers, where callers' own ids are on the wire. */
  reserve(frames: readonly Body[]): void {
    for (const frame of frames) {
      const id = this.#protocol.adopt?.(frame, 0)?.id;
      if (id !== undefined) this.#requests.configured.reserve(id);
    }
  }

  /**
   * Gives a frame of the configuration an id of ours in place of its own, so that no request can have the same. Returns
   * the frame to write at once, unchanged if it carries no id.
   */
  adopt(connection: number, frame: Body, by: ConfiguredBy): Body {
    const adopt = (id: number) => this.#protocol.adopt?.(frame, id, connection);
    const carried = adopt(0);
    if (carried === undefined) return frame;
    const id = carried.id ?? this.#requests.correlation.draw();
    const adopted = typeof id === "number" ? (adopt(id) ?? carried) : carried;
    this.#requests.configured.add(connection, id, by, carried.own);
    return adopted.frame;
  }

  /** Finds out what a frame answers, or that it is answered, and changes nothing. Other frames have no origin. */
  originOf(connection: number, frame: Body, decoded: Decoded): FrameOrigin | undefined {
    if (decoded.type === "answer") return ANSWERED;
    if (decoded.type === "ignored") return IGNORED;
    if (this.#protocol.comparesRendered && decoded.type === "message" && decoded.render)
      return { type: "message", body: decoded.render(undefined) };
    if (this.#protocol.correlation === "order" || decoded.type === "several") return undefined;
    const named = this.#requests.named(connection, decoded);
    if (!("id" in named)) return undefined;
    const { id } = named;
    const { configured, correlation } = this.#requests;
    const found = configured.find(connection, id);
    if (found) {
      const isReply = named.type === "reply" || named.type === "invalid";
      return { type: "configured", by: found.by, id, body: rendered(named, frame, found), isReply };
    }
    const ofRequest = correlation.find(connection, id) !== undefined;
    return ofRequest || (this.#delivery.isNewest(connection) && correlation.isTaken(id)) ? REQUEST : undefined;
  }

  /** The frame of the configuration that a frame of the upstream answers. */
  find(connection: number, id: WireId): ConfiguredFrame | undefined {
    return this.#requests.configured.find(connection, id);
  }

  /** Takes the reply to a frame of the configuration. */
  onReply(connection: number, id: WireId): void {
    this.#requests.configured.onReply(connection, id);
  }
}

/** A frame with the id that the configuration wrote in place of ours. */
export function rendered(decoded: FrameWithId, frame: Body, { own }: ConfiguredFrame): Body {
  return decoded.render?.(own) ?? frame;
}
