/** The replies to the frames of the configuration, as the greeting and the heartbeat see them. */
import type { Body } from "../../protocols/protocol.ts";
import type { ConfiguredBy } from "./frame-origin.ts";
import type { FrameInput, SessionEffect } from "./session-state.ts";

/** The frame as a condition sees it that awaits a reply to `by`; undefined if it answers something else. */
export function seenBy(by: ConfiguredBy, { frame, origin }: FrameInput): Body | undefined {
  if (origin === undefined) return frame;
  if (origin.type === "message") return origin.body;
  return origin.type === "configured" && origin.by === by ? origin.body : undefined;
}

export function answered({ connection, origin }: FrameInput): SessionEffect[] {
  const isReply = origin?.type === "configured" && origin.isReply;
  return isReply ? [{ type: "answered", connection, id: origin.id }] : [];
}

export function passedOn({ connection, frame }: FrameInput): SessionEffect {
  return { type: "frame", connection, frame };
}
