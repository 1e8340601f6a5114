/** Options of how messages lie in frames, which every preset has. */

/** The values of `inflate`. `auto`: binary frames that begin as gzip or zlib does; others stay as they are. */
export const INFLATES = ["auto", "gzip", "deflate"] as const;

/** The values of `binary`: the role of the upstream's binary frames. `parts`: of the reply that is due, if one is. */
export const BINARIES = ["messages", "parts"] as const;

export interface FrameOptions {
  /** The separator of the messages in a frame, which also ends what is sent; or `array`: a frame is a JSON array. */
  readonly split?: string | undefined;
  /** The compression of binary frames. */
  readonly inflate?: (typeof INFLATES)[number] | undefined;
  /** Binary frames are bytes, and no JSON. */
  readonly binary?: (typeof BINARIES)[number] | undefined;
  /** The size in bytes of the frames that a long binary body is sent as. */
  readonly size?: number | undefined;
}
