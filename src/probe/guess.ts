/** The guess at an upstream's dialect: what connections showed in, proposals out, the surest first. */

import { type Look, SIGNS, type Sureness } from "./signs.ts";

export interface Proposal {
  readonly dialect: string;
  readonly sureness: Sureness;
  readonly reasons: readonly string[];
  /** The address at which the sign was seen. */
  readonly url: string;
  /** The lines of the upstream's settings besides its url; undefined if there is no preset for it. */
  readonly settings: readonly string[] | undefined;
}

const ORDER: readonly Sureness[] = ["certain", "likely", "possible"];

export function proposalsFor(looks: readonly Look[]): readonly Proposal[] {
  const agreesTo = new Set(looks.filter(({ open, subprotocol }) => open && subprotocol !== "").map(agreed));
  // A server that agrees to whatever is offered shows nothing by that.
  const isPliant = agreesTo.size > PLIANT;
  const proposals = new Map<string, Proposal>();
  for (const { dialect, sureness, settings, seen } of SIGNS) {
    for (const look of looks) {
      const reason = seen(look);
      if (reason === undefined || (isPliant && look.offered !== undefined && look.frames.length === 0)) continue;
      // Of one dialect the surest sign comes first.
      const known = proposals.get(dialect) ?? { dialect, sureness, reasons: [], url: look.url, settings };
      proposals.set(dialect, { ...known, reasons: [...new Set([...known.reasons, reason])] });
    }
  }
  const found = [...proposals.values()].sort((a, b) => ORDER.indexOf(a.sureness) - ORDER.indexOf(b.sureness));
  return found[0]?.sureness === "certain" ? found.filter(({ sureness }) => sureness === "certain") : found;
}

/** A server of GraphQL agrees to two; none agrees to more than this. */
const PLIANT = 3;

function agreed({ subprotocol }: Look): string {
  return subprotocol;
}

/** Hints about a connection that was refused or closed, in words. */
export function hintsFor(looks: readonly Look[]): readonly string[] {
  const hints = looks.flatMap(({ why = "", close, offered }) => {
    if (offered !== undefined) return [];
    const closed = close?.code ?? undefined;
    return [
      ...HINTS.filter(([said]) => said.test(why)).map(([, hint]) => hint),
      ...(closed === undefined ? [] : [`it closed the connection with code ${closed}${CLOSE_HINTS[closed] ?? ""}`]),
    ];
  });
  return [...new Set(hints)];
}

const HINTS: readonly (readonly [said: RegExp, hint: string])[] = [
  [/HTTP 40[137]/, "it wants credentials: give them with --upstream-header or in the URL"],
  [/HTTP (?:404|200|426)/, "no WebSocket is served at this path"],
  [/HTTP 400|subprotocol/i, "it may want a subprotocol: name it with --subprotocol"],
  [/HTTP 3\d\d/, "it redirects: use the address that it leads to"],
];

const CLOSE_HINTS: Readonly<Record<number, string>> = {
  1002: ": it expected another protocol",
  1008: ": it wants credentials, or another origin",
  4401: ": it wants credentials",
  4403: ": it refuses these credentials",
  4406: ": it wants another subprotocol",
};
