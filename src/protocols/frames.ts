/** Options of how messages lie in frames, which every preset has. */

/** The values of `inflate`. `auto`: binary frames that begin as gzip or zlib does; others stay as they are. */
export const INFLATES = ["auto", "gzip", "deflate"] as const;

export interface FrameOptions {
  /** The separator of the messages in a frame, which also ends what is sent; or `array`: a frame is a JSON array. */
  readonly split?: string | undefined;
  /** The compression of binary frames. */
  readonly inflate?: (typeof INFLATES)[number] | undefined;
}
