/** The findings of `sidesocket doctor`, each a line. */

export interface Finding {
  /** `fail`: the service would not start, or would not reach an upstream. `warn`: it would, at a risk. */
  readonly verdict: "ok" | "warn" | "fail";
  /** The thing that was checked, and what is wrong with it. It never has a secret. */
  readonly what: string;
  readonly cure?: string | undefined;
}

export function ok(what: string): Finding {
  return { verdict: "ok", what };
}

export function warn(what: string, cure?: string): Finding {
  return { verdict: "warn", what, cure };
}

export function fail(what: string, cure?: string): Finding {
  return { verdict: "fail", what, cure };
}

/** `fail  what; cure`, on one line whatever the texts hold. */
export function textOf({ verdict, what, cure }: Finding): string {
  const text = cure === undefined ? what : `${what}; ${cure}`;
  return `${verdict.padEnd(4)}  ${text.replaceAll(/\s*[\r\n]+\s*/g, " ").trim()}`;
}

/** True if one of them is a failure. */
export function isOver(findings: readonly Finding[]): boolean {
  return findings.some(({ verdict }) => verdict === "fail");
}
