/** Schema of how messages lie in frames, and of binary frames beside JSON. */

import * as z from "zod";
import { BINARIES, type FrameOptions, INFLATES } from "../protocols/frames.ts";
import { preset } from "../protocols/presets.ts";
import { size } from "./units.ts";

export const frames = z
  .strictObject({
    split: z
      .string()
      .min(1, "must not be empty: it is a separator, or array")
      .max(16, "must have at most 16 characters")
      .optional()
      .describe("The separator of the messages in a frame, which also ends what is sent; or array."),
    inflate: z.enum(INFLATES).optional().describe("The compression of binary frames."),
    binary: z
      .enum(BINARIES)
      .optional()
      .describe("Binary frames are bytes: messages, or parts of the reply that is due, which needs collect."),
    size: size.optional().describe("The size of the frames that a long binary body is sent as, while it arrives."),
  })
  .refine((frames) => Object.values(frames).some((value) => value !== undefined), "must have one of its keys")
  .refine(({ inflate, binary }) => inflate === undefined || binary === undefined, {
    path: ["binary"],
    error: "does not go with inflate: binary frames are bytes, or compressed text",
  })
  .meta({ id: "Frames", description: "How messages lie in frames." })
  .optional()
  .describe("How messages lie in frames, where it is not one in each.");

interface Framed {
  readonly preset: string;
  readonly frames?: FrameOptions | undefined;
  readonly correlation?: string | undefined;
  readonly collect?: object | undefined;
}

/** Refuses bytes that the protocol can do nothing with. */
export function checkBinary(settings: Framed, context: z.RefinementCtx): void {
  const { frames: { binary, size } = {}, correlation, collect } = settings;
  const refuse = (key: keyof FrameOptions, message: string) =>
    context.addIssue({ code: "custom", path: ["frames", key], message });
  const takesBytes = settings.preset === "text" || wraps(settings.preset);
  if (binary !== undefined && settings.preset === "text") refuse("binary", "is for JSON: text takes bytes as they are");
  else if (binary === "parts" && (correlation !== "order" || collect === undefined)) {
    refuse("binary", "needs correlation: order and collect: which request bytes belong to");
  }
  if (size !== undefined && binary === undefined && !takesBytes) refuse("size", "needs binary: bytes are not taken");
}

/** True if the preset has messages for bytes of callers. */
function wraps(name: string): boolean {
  const protocol = preset(name)?.protocol;
  return typeof protocol === "object" && protocol.wrap !== undefined;
}
