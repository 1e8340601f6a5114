/** Units of durations and sizes, and the types of texts that end with one. */

import type { CapturedStart } from "../secrets/placeholders.ts";

export const MILLISECONDS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
export const BYTES = {
  B: 1,
  kB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
} as const;

/** A duration with its unit, such as `10s` or `500ms`. */
export type Duration = `${number}${keyof typeof MILLISECONDS}`;

/** A duration whose number a frame of the upstream brings, such as `${conn:interval}ms`. */
export type CapturedDuration = `${CapturedStart}${keyof typeof MILLISECONDS}`;

/** A size with its unit, such as `64KiB` or `16MiB`. */
export type Size = `${number}${keyof typeof BYTES}`;
