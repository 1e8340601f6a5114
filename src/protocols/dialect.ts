/** A dialect: a preset that is one file, with its guide and its options, which are all texts. */

import type { Preset } from "./preset.ts";

/** The names of all options, so that their types need no list elsewhere. */
type Texts<Option extends string> = { readonly [Name in Option]?: string | undefined };

export interface Dialect<Option extends string = string> {
  /** The upstreams that it is for, as in the table of docs/protocols.md. */
  readonly purpose: string;
  /** The lines of a configuration file to start from, which is valid once its variables are set. */
  readonly start: readonly string[];
  /** Descriptions of the options. */
  readonly options?: Readonly<Record<Option, string>>;
  /** Forms of options that have one; others are any text. `must`: what a value that does not fit is told. */
  readonly forms?: { readonly [Name in Option]?: { readonly pattern: Pick<RegExp, "test">; readonly must: string } };
  /** The options that only go out, as they are: placeholders in them are resolved for each connection. */
  readonly outgoing?: { readonly [Name in Option]?: true };
  /** @param seed a random UUID, for ids that no other process may have */
  build(options: Texts<Option>, seed?: string): Preset;
}
