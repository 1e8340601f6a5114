/** Random texts, most of them close to a reply. */
import { oddTexts } from "../faults/replies.ts";

const PIECES: readonly string[] = [
  ...["{", "}", "[", "]", ",", ":", '"', "\\", '"id"', '"result"', '"error"', '"jsonrpc":"2.0"', '"method":"x"'],
  ...["null", "true", "false", "NaN", "-0", "1e999", "0.1", "9007199254740993", "-1", "\\u0000", "\\ud800", "\u0000"],
  ...['"__proto__"', '"constructor"', '"toString"', "\ud83d\ude00", "\u2028", "\ufeff", " ", "\t", "\n", "/*", "'"],
];

const ODD: readonly string[] = [...oddTexts.values()].filter((text) => text.length < 10_000);

function pick<T>(items: readonly T[], random: () => number): T {
  return items[Math.floor(random() * items.length)] as T; // random is below 1
}

/**
 * Makes a text that is never a reply to the request with the given id, nor to any other pending one: a number alone is
 * never a positive integer.
 */
export function fuzzText(random: () => number, id: unknown): string {
  const roll = random();
  if (roll < 0.1) return pick(ODD, random).replace(/"id":\s*\d+/g, '"id":-1');
  if (roll < 0.6) {
    return Array.from({ length: 1 + Math.floor(random() * 40) }, () => pick(PIECES, random)).join("");
  }
  // A reply damaged in one place, whose id is of the wrong type.
  const reply = JSON.stringify({
    jsonrpc: "2.0",
    id: pick([`${id}`, [id], { id }, -1, 0.5, null], random),
    result: [],
  });
  const at = Math.floor(random() * reply.length);
  return reply.slice(0, at) + pick(PIECES, random) + reply.slice(at + Math.floor(random() * 3));
}
