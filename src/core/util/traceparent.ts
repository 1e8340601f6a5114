/** The header `traceparent` of W3C Trace Context, by which the parts of one trace find each other. */

export interface TraceContext {
  readonly traceId: string;
  /** The caller's span. */
  readonly spanId: string;
  readonly flags: number;
}

/** version-traceid-spanid-flags */
const LENGTH = 55;
const DASH = 0x2d;

/**
 * Reads a header as it came. Undefined if it is not valid, which is then as good as none: a caller that sends nonsense
 * must not be refused for it. A newer version may have more behind the flags.
 */
export function readTraceparent(header: string): TraceContext | undefined {
  if (header.length < LENGTH) return undefined;
  for (let at = 0; at < LENGTH; at++) {
    const code = header.charCodeAt(at);
    if (at === 2 || at === 35 || at === 52 ? code !== DASH : !isHex(code)) return undefined;
  }
  const isKnown = header.startsWith("00");
  if (header.length > LENGTH && (isKnown || header.charCodeAt(LENGTH) !== DASH)) return undefined;
  const traceId = header.slice(3, 35);
  const spanId = header.slice(36, 52);
  if (header.startsWith("ff") || traceId === NO_TRACE || spanId === NO_SPAN) return undefined;
  return { traceId, spanId, flags: Number.parseInt(header.slice(53, LENGTH), 16) };
}

/** Writes the header in the version that everyone knows. */
export function traceparentOf({ traceId, spanId, flags }: TraceContext): string {
  return `00-${traceId}-${spanId}-${(flags & 0xff).toString(16).padStart(2, "0")}`;
}

/** Lower case alone: upper case is not allowed. */
function isHex(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66);
}

const NO_TRACE = "0".repeat(32);
const NO_SPAN = "0".repeat(16);
