/** Random names that nobody else has. */

/** Also where a page is not in a secure context, which lacks `crypto.randomUUID`. */
export function randomName(prefix: string): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `${prefix}-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
