/** The bearer tokens that are known, and the callers that they belong to. */

import { createHash, timingSafeEqual } from "node:crypto";

export interface Caller {
  /**
   * The caller whose kept replies and Idempotency-Keys these are. It does not depend on the token's text, so that a
   * token can be replaced while its caller's keys live: all tokens of one name are one caller, and so are all without.
   */
  readonly identity: string;
  /** The caller that shares with others what there is. Each token without a name has a share of its own. */
  readonly share: string;
  /** The caller whose instances these are. No other token is ever the same owner, unless it has the same name. */
  readonly owner: string;
}

/** The caller where no token is needed. */
export const ANYBODY: Caller = { identity: "", share: "", owner: "" };

interface Known extends Caller {
  readonly digest: Buffer;
}

/** No character of a token, so a name can stand before it. */
const NAMED = /^([\w.-]{1,64}):(.+)$/;

/** The name and the text of a token as it is configured: `NAME:TOKEN`, or only the token. */
export function partsOf(token: string): { readonly name: string | undefined; readonly text: string } {
  const [, name, text = token] = NAMED.exec(token) ?? [];
  return { name, text };
}

export class Tokens {
  readonly #known: readonly Known[];

  constructor(tokens: readonly string[]) {
    this.#known = tokens.map((token, index) => {
      const { name, text } = partsOf(token);
      const digest = sha256(text);
      const owner = name ?? `#${digest.toString("base64url")}`;
      return { identity: name ?? "", share: name ?? `#${index + 1}`, owner, digest };
    });
  }

  /** False if callers need a token. */
  get isEmpty(): boolean {
    return this.#known.length === 0;
  }

  /** The number of callers that share what there is. */
  get shares(): number {
    return new Set(this.#known.map(({ share }) => share)).size;
  }

  /** The number of callers that have keys and kept replies of their own. */
  get identities(): number {
    return new Set(this.#known.map(({ identity }) => identity)).size;
  }

  /** True if a token of this caller is valid. */
  knows({ share }: Caller): boolean {
    return this.#known.some((known) => known.share === share);
  }

  /** True if a token of this owner is valid, or none is needed. */
  admitsOwner(owner: string): boolean {
    return this.isEmpty || this.#known.some((known) => known.owner === owner);
  }

  /** Compares digests in constant time, and always with every token, so that timing reveals nothing. */
  callerOf(given: string): Caller | undefined {
    const digest = sha256(given);
    let found: Caller | undefined;
    for (const known of this.#known) if (timingSafeEqual(digest, known.digest)) found = known;
    return found;
  }
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
