/** The keys that sign a webhook's batches. */

/** The least number of characters. */
export const KEY_MIN = 8;

const WHSEC = /^whsec_(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * A key is a text, or has the form of Standard Webhooks: `whsec_` and the base64 of 24 to 64 bytes. Returns what is
 * wrong with it, for a sentence; undefined if nothing is.
 */
export function faultOfKey(key: string): string | undefined {
  if (key.length < KEY_MIN) return `must have at least ${KEY_MIN} characters`;
  if (key.startsWith("whsk_")) return "is an asymmetric key: use whsec_…";
  if (!key.startsWith("whsec_")) return undefined;
  if (!WHSEC.test(key)) return "must have base64 behind whsec_";
  const { length } = Buffer.from(key.slice(6), "base64");
  return length >= 24 && length <= 64 ? undefined : "must have 24 to 64 bytes behind whsec_, in base64";
}
