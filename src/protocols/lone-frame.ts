/** Replies of one frame or of several, in protocols where only some replies have several. */

import type { Protocol } from "./protocol.ts";

/** Makes a reply that has only one frame that frame, rather than an array of it. */
export function withLoneFrames(protocol: Protocol): Protocol {
  return {
    ...protocol,
    decode(frame) {
      const decoded = protocol.decode(frame);
      if (decoded.type !== "reply" || !decoded.gather) return decoded;
      const { gather } = decoded;
      return { ...decoded, gather: (frames) => (frames.length === 1 && frames[0] ? frames[0] : gather(frames)) };
    },
  };
}
