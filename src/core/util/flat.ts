/** Texts that hold nothing but themselves. */

/** Shorter ones are copied by V8 anyway. */
const SHARED_FROM = 13;

/**
 * A copy of the text. V8 makes a slice of a long text by pointing into it, so that an id of forty characters keeps a
 * body of a megabyte alive. Whatever is kept beyond the turn that read it must therefore be a copy. Of two texts that
 * are joined V8 makes a new one as soon as its characters are looked at.
 */
export function flat(text: string): string {
  return text.length < SHARED_FROM ? text : ` ${text}`.slice(1);
}
