/** The files of TLS that a configuration names: found, read, and checked before anything starts. */

import { tokenize } from "../secrets/placeholders.ts";
import { faultOfFile, faultOfPair, TLS_FILES, type TlsContents } from "../secrets/tls-files.ts";
import type { Given } from "./commandline.ts";
import { resolvePath } from "./paths.ts";
import { ConfigError, type Path } from "./problems.ts";
import type { UpstreamSettings } from "./schema.ts";

/** Reads the text of a file that a setting names; a relative path is resolved against the current folder. */
export type ReadFile = (file: Given) => Promise<string>;

interface ReadTls {
  /** Absolute paths, by setting. */
  readonly paths: Partial<Record<(typeof TLS_FILES)[number], string>>;
  readonly contents: TlsContents;
}

/**
 * Reads the files that settings of TLS name, which must exist before anything starts.
 * @param passphrase undefined if it is not known yet
 */
export async function readTls(
  { passphrase, ...settings }: TlsContents,
  folder: string,
  at: (key: (typeof TLS_FILES)[number]) => string,
  read: ReadFile,
  isPassphraseKnown = true,
): Promise<ReadTls> {
  const paths: Record<string, string> = {};
  const contents: Record<string, string> = {};
  for (const setting of TLS_FILES) {
    const given = settings[setting];
    if (given === undefined) continue;
    const path = resolvePath(given, folder);
    const content = await read({ value: path, from: at(setting) });
    const fault = faultOfFile(setting, content);
    if (fault !== undefined) throw new ConfigError(`${at(setting)}: ${path} ${fault}`);
    paths[setting] = path;
    contents[setting] = content;
  }
  const all = { ...contents, ...(passphrase !== undefined && { passphrase }) };
  const fault = isPassphraseKnown ? faultOfPair(all) : undefined;
  if (fault !== undefined) throw new ConfigError(`${at("key")}: ${fault}`);
  return { paths, contents: all };
}

/** Finds the absolute paths of an upstream's certificates. */
export async function findCertificates(
  { ca, tls }: UpstreamSettings,
  folder: string,
  at: (key: Path) => string,
  read: ReadFile,
) {
  const { passphrase } = tls;
  // A passphrase that an attempt resolves is tried by the attempt.
  const isKnown = passphrase === undefined || tokenize(passphrase).every(({ kind }) => kind === "text");
  const trusted = await readTls({ ca }, folder, () => at(["ca"]), read);
  const found = await readTls(tls, folder, (key) => at(["tls", key]), read, isKnown);
  return { ...trusted.paths, tls: { ...tls, ...found.paths } };
}
