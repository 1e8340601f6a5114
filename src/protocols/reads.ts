/** Marks of a protocol's functions: the parts of a message that each looks into, so that others may be left out. */

/**
 * The keys of members (or the positions of elements) that a function looks into, directly within a message. Of any
 * other it sees only that it is there, and its kind. Undefined if it may look at everything.
 */
export type Reads = ReadonlySet<string> | undefined;

/** Marks a function with what it looks at. One that is built around it is unmarked until it is marked itself. */
export function reading<Read extends object>(reads: Reads, read: Read): Read & { readonly reads: Reads } {
  return Object.assign(read, { reads });
}

/** The reads of several functions together. */
export function joinedReads(...all: readonly Reads[]): Reads {
  const joined = new Set<string>();
  for (const reads of all) {
    if (reads === undefined) return undefined;
    for (const each of reads) joined.add(each);
  }
  return joined;
}
