/** The origin of a frame: what it answers, or the rule that answers it. */
import type { Body, WireId } from "../../protocols/protocol.ts";

/** The part of the configuration that sent a frame. */
export type ConfiguredBy = "greeting" | "farewell" | "heartbeat" | "answer";

/** A frame that answers nothing of ours, and that no rule answers or ignores, has no origin. */
export type FrameOrigin =
  /** It belongs to a request of a caller or a subscription, perhaps to one that has ended. */
  | { readonly type: "request" }
  /** It is a request of the upstream's own, which the configuration or the protocol answers. */
  | { readonly type: "answered" }
  /** It is a message, which the protocol gives another form. */
  | { readonly type: "message"; readonly body: Body }
  /** It concerns nobody, by a rule of the configuration. */
  | { readonly type: "ignored" }
  /** It answers a frame of the configuration. */
  | {
      readonly type: "configured";
      readonly by: ConfiguredBy;
      readonly id: WireId;
      /** The frame with the id that the configuration wrote. */
      readonly body: Body;
      /** False for a frame that precedes the reply, and for a part of it. */
      readonly isReply: boolean;
    };
