/** Suggestions for keys that nobody knows. */

/** A schema of zod, as far as its definition leads to other schemas. */
export interface Schema {
  /** `innerType` is that of a lazy schema, which is made once. */
  readonly _zod: { readonly def: object; readonly innerType?: Schema };
}

/** All of it is optional: each kind of schema has its own. */
export interface Definition {
  readonly shape?: Readonly<Record<string, Schema>>;
  readonly innerType?: Schema;
  readonly in?: Schema;
  readonly options?: readonly Schema[];
  readonly valueType?: Schema;
  readonly element?: Schema;
  readonly values?: readonly unknown[];
}

/** The known keys of a mapping, with the keys of the mappings in it as `limits.in_flight`. */
export function knownKeys(schema: Schema | undefined): readonly string[] {
  return Object.entries(shapeOf(schema)).flatMap(([key, inner]) => [
    key,
    ...Object.keys(shapeOf(inner)).map((innerKey) => `${key}.${innerKey}`),
  ]);
}

function shapeOf(schema: Schema | undefined): Readonly<Record<string, Schema>> {
  let definition: Definition | undefined = schema?._zod.def;
  while (definition && !definition.shape) definition = (definition.innerType ?? definition.in)?._zod.def;
  return definition?.shape ?? {};
}

/** The most known keys that are listed if none is close. */
const LISTED = 12;

/** The end of the sentence about an unknown key: the key that was meant, or those that there are. */
export function meant(key: string, known: readonly string[]): string {
  const close = closest(key, known);
  return close === undefined ? knownHere(known) : `did you mean ${close}?`;
}

/** The list of known keys, without those of the mappings in a mapping. */
export function knownHere(known: readonly string[]): string {
  // `$schema` is for editors: nobody types it.
  const here = known.filter((name) => !/[.$]/.test(name));
  return `known here: ${here.slice(0, LISTED).join(", ")}${here.length > LISTED ? ", …" : ""}`;
}

/** The known name that is nearest to a mistyped one, or is the same in another place; undefined if none is near. */
export function closest(given: string, known: readonly string[]): string | undefined {
  const wanted = plain(given);
  const most = Math.floor(wanted.length / 3);
  let best: { readonly name: string; readonly distance: number } | undefined;
  for (const name of known) {
    const last = name.slice(name.lastIndexOf(".") + 1);
    // A key of another place must be the same but for its spelling: nearly the same is too often by chance.
    const distance = last === name ? edits(wanted, plain(name), most) : plain(last) === wanted ? 0 : most + 1;
    if (distance <= most && (best === undefined || distance < best.distance)) best = { name, distance };
  }
  return best?.name;
}

/** True for names that differ only in how they are spelt: `inFlight`, `in-flight` and `in_flight` are one. */
export function isSameName(one: string, other: string): boolean {
  return plain(one) === plain(other);
}

/** A name without what spellings differ in. */
function plain(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, "");
}

/** The number of letters to add, drop, change or swap with the next; `most + 1` if there are more than `most`. */
function edits(one: string, other: string, most: number): number {
  if (Math.abs(one.length - other.length) > most) return most + 1;
  let before: number[] = [];
  let row = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const isSame = one[i - 1] === other[j - 1];
      const isSwap = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      next[j] = Math.min(
        (row[j] ?? 0) + 1,
        (next[j - 1] ?? 0) + 1,
        (row[j - 1] ?? 0) + (isSame ? 0 : 1),
        isSwap ? (before[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    before = row;
    row = next;
  }
  return row[other.length] ?? 0;
}
