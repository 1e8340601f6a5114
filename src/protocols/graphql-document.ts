/** Parser for executable GraphQL documents (https://spec.graphql.org/September2025/#sec-Document). */

import { InvalidMessage } from "./protocol.ts";

export type OperationKind = "query" | "mutation" | "subscription";

export interface Operation {
  readonly kind: OperationKind;
  readonly name: string | undefined;
  /** True if its result may come in parts: `@defer` or `@stream` is in it, or in a fragment that it spreads. */
  readonly inParts: boolean;
}

/** A document that cannot be parsed, and the place of its fault. */
export class InvalidDocument extends InvalidMessage {
  /** Undefined for a fault of the whole document. Both count from 1. */
  readonly place: { readonly line: number; readonly column: number } | undefined;

  constructor(message: string, place?: InvalidDocument["place"]) {
    super("shape", message);
    this.place = place;
  }
}

/**
 * The deepest nesting of selections, lists and objects. Real documents stay below 20; the upstream's parser may
 * recurse.
 */
const MAX_DEPTH = 200;

const IGNORED = /(?:[\t\n\r ,\ufeff]|#[^\n\r]*)*/y;
/** One character, or escape, of a string that is not a block string. */
const STRING_PARTS = [
  /[^"\\\p{Cc}]/u,
  /\t/u,
  /\\["\\/bfnrt]/u,
  // A code unit that is no surrogate: the first digit is not D, or the second is below 8.
  /\\u[\dA-CEFa-cef][\dA-Fa-f]{3}/u,
  /\\u[Dd][0-7][\dA-Fa-f]{2}/u,
  // A pair of surrogates.
  /\\u[Dd][89ABab][\dA-Fa-f]{2}\\u[Dd][C-Fc-f][\dA-Fa-f]{2}/u,
  // A code point of at most 10FFFF that is no surrogate.
  /\\u\{(?!0*[Dd][89A-Fa-f][\dA-Fa-f]{2}\})(?:0*10|0*[\dA-Fa-f])?[\dA-Fa-f]{1,4}\}/u,
];

/** At most one alternative fits at any position and none backtracks, so each character is read only a few times. */
const TOKENS = [
  ["name", /[_A-Za-z]\w*/y],
  ["punctuator", /\.\.\.|[!$&():=@[\]{|}]/y],
  ["number", /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![.\w])/y],
  ["string", /"""(?:[^"\\]|\\"""|\\(?!""")|"(?!""))*"""/y],
  ["string", new RegExp(`"(?!"")(?:${STRING_PARTS.map(({ source }) => source).join("|")})*"`, "uy")],
] as const;

/**
 * Returns the operations of a document. Throws {@link InvalidDocument} with the fault and its place.
 *
 * Documents are parsed before they are sent because graphql-ws closes the socket, and with it every caller's requests,
 * when a document has a syntax error.
 */
export function parseDocument(text: string): readonly Operation[] {
  return new Parser(text).document();
}

/** The part of a definition that decides if a result may come in parts. */
interface Selections {
  inParts: boolean;
  /** The names of the fragments that it spreads. */
  readonly spreads: Set<string>;
}

type ReadOperation = Omit<Operation, "inParts"> & { readonly selections: Selections };

class Parser {
  readonly #text: string;
  #definition: Selections = { inParts: false, spreads: new Set() };
  #kind: (typeof TOKENS)[number][0] | "end" = "end";
  #token = "";
  #start = 0;
  #next = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    if (/\p{Surrogate}/u.test(text)) throw new InvalidDocument("the GraphQL document contains an unpaired surrogate");
    this.#advance();
  }

  document(): readonly Operation[] {
    const operations: ReadOperation[] = [];
    const fragments = new Map<string, Selections>();
    do {
      if (this.#kind === "string") this.#advance();
      const selections: Selections = { inParts: false, spreads: new Set() };
      this.#definition = selections;
      if (this.#token === "fragment") fragments.set(this.#fragment(), selections);
      else operations.push({ ...this.#operation(), selections });
    } while (this.#kind !== "end");
    const inParts = fragmentsInParts(fragments);
    return operations.map(({ kind, name, selections }) => {
      return {
        kind,
        name,
        inParts: selections.inParts || [...selections.spreads].some((spread) => inParts.has(spread)),
      };
    });
  }

  #operation(): Omit<Operation, "inParts"> {
    if (this.#token === "{") {
      this.#selections();
      return { kind: "query", name: undefined };
    }
    const kind = (["query", "mutation", "subscription"] as const).find((known) => known === this.#token);
    if (kind === undefined || this.#kind !== "name") return this.#fault("an operation or a fragment");
    this.#advance();
    const name = this.#kind === "name" ? this.#name() : undefined;
    this.#variables();
    this.#directives();
    this.#selections();
    return { kind, name };
  }

  /** @returns its name */
  #fragment(): string {
    this.#advance();
    if (this.#token === "on") this.#fault("the fragment's name");
    const name = this.#name();
    this.#variables();
    this.#word("on");
    this.#name();
    this.#directives();
    this.#selections();
    return name;
  }

  #variables(): void {
    this.#optionalList("(", ")", () => {
      if (this.#kind === "string") this.#advance();
      this.#take("$");
      this.#name();
      this.#take(":");
      this.#type();
      if (this.#skip("=")) this.#value();
      this.#directives();
    });
  }

  #type(): void {
    this.#nest(() => {
      if (this.#skip("[")) {
        this.#type();
        this.#take("]");
      } else {
        this.#name();
      }
    });
    this.#skip("!");
  }

  #selections(): void {
    this.#take("{");
    this.#nest(() => {
      do this.#selection();
      while (!this.#skip("}"));
    });
  }

  #selection(): void {
    if (this.#skip("...")) {
      const isSpread = this.#kind === "name" && this.#token !== "on";
      if (isSpread) this.#definition.spreads.add(this.#name());
      else if (this.#skip("on")) this.#name();
      this.#directives();
      if (!isSpread) this.#selections();
      return;
    }
    this.#name();
    if (this.#skip(":")) this.#name();
    this.#arguments();
    this.#directives();
    if (this.#token === "{") this.#selections();
  }

  #arguments(): void {
    this.#optionalList("(", ")", () => this.#member());
  }

  /** @returns true for `if: false` */
  #member(): boolean {
    const name = this.#name();
    this.#take(":");
    const isFalse = this.#token === "false";
    this.#value();
    return name === "if" && isFalse;
  }

  #directives(): void {
    while (this.#skip("@")) {
      const name = this.#name();
      let isOff = false;
      this.#optionalList("(", ")", () => {
        if (this.#member()) isOff = true;
      });
      if ((name === "defer" || name === "stream") && !isOff) this.#definition.inParts = true;
    }
  }

  #value(): void {
    if (this.#kind === "name" || this.#kind === "number" || this.#kind === "string") this.#advance();
    else if (this.#skip("$")) this.#name();
    else if (this.#skip("[")) this.#nest(() => this.#until("]", () => this.#value()));
    else if (this.#skip("{")) this.#nest(() => this.#until("}", () => this.#member()));
    else this.#fault("a value");
  }

  /** Either nothing, or one or more items between brackets. */
  #optionalList(open: string, close: string, item: () => void): void {
    if (!this.#skip(open)) return;
    do item();
    while (!this.#skip(close));
  }

  /** Any number of items, and the bracket that closes them. */
  #until(close: string, item: () => void): void {
    while (!this.#skip(close)) item();
  }

  #nest(inner: () => void): void {
    if (++this.#depth > MAX_DEPTH) {
      throw new InvalidDocument(`the GraphQL document is nested deeper than ${MAX_DEPTH} levels`);
    }
    inner();
    this.#depth--;
  }

  // Tokens.

  #name(): string {
    if (this.#kind !== "name") this.#fault("a name");
    const name = this.#token;
    this.#advance();
    return name;
  }

  #word(word: string): void {
    if (this.#token !== word) this.#fault(`"${word}"`);
    this.#advance();
  }

  #take(punctuator: string): void {
    if (!this.#skip(punctuator)) this.#fault(`"${punctuator}"`);
  }

  #skip(token: string): boolean {
    if (this.#kind === "string" || this.#token !== token || this.#kind === "end") return false;
    this.#advance();
    return true;
  }

  #advance(): void {
    IGNORED.lastIndex = this.#next;
    IGNORED.test(this.#text);
    this.#start = IGNORED.lastIndex;
    for (const [kind, pattern] of TOKENS) {
      pattern.lastIndex = this.#start;
      if (!pattern.test(this.#text)) continue;
      this.#kind = kind;
      this.#next = pattern.lastIndex;
      this.#token = this.#text.slice(this.#start, this.#next);
      return;
    }
    this.#kind = "end";
    this.#token = "";
    if (this.#start < this.#text.length) this.#fault("a GraphQL token");
  }

  #fault(wanted: string): never {
    const lines = this.#text.slice(0, this.#start).split(/\r\n|[\n\r]/);
    const place = { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
    const at = `line ${place.line}, column ${place.column}`;
    throw new InvalidDocument(`the GraphQL document cannot be parsed: expected ${wanted} at ${at}`, place);
  }
}

/** The names of the fragments that have `@defer` or `@stream`, or spread one that has, at whatever depth. */
function fragmentsInParts(fragments: ReadonlyMap<string, Selections>): ReadonlySet<string> {
  const spreadIn = new Map<string, string[]>();
  for (const [name, { spreads }] of fragments) {
    for (const spread of spreads) {
      const places = spreadIn.get(spread);
      if (places) places.push(name);
      else spreadIn.set(spread, [name]);
    }
  }
  // The set grows while it is read: each fragment is looked at once.
  const found = new Set([...fragments].filter(([, { inParts }]) => inParts).map(([name]) => name));
  for (const name of found) for (const place of spreadIn.get(name) ?? []) found.add(place);
  return found;
}
