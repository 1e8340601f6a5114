/** The certificate of the listener, with its key: read at the start and by each reload. */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { isDeferred, tokenize } from "../secrets/placeholders.ts";
import { type ReadFile, readTls } from "./certificates.ts";
import { ConfigError } from "./problems.ts";
import type { ListenSettings } from "./schema.ts";
import { isWorldReadable } from "./tokens.ts";

/** The certificate of the listener, which a reload replaces in place. */
export interface ListenCertificate {
  readonly cert: string;
  /** In PEM, without a passphrase. */
  readonly key: string;
  /** The certificates of which one has signed that of each caller; undefined if callers need none. */
  readonly ca?: string;
}

/** @param at the place of a key of `listen` */
export async function readListenTls(
  tls: NonNullable<ListenSettings["tls"]>,
  folder: string,
  at: (...key: string[]) => string,
  read: ReadFile,
  warn: (warning: string) => void,
): Promise<{ readonly tls: ListenSettings["tls"]; readonly certificate: ListenCertificate }> {
  const passphrase = await readPassphrase(tls.passphrase, at("tls", "passphrase"), read);
  const { paths, contents } = await readTls({ ...tls, passphrase }, folder, (key) => at("tls", key), read);
  const { cert = "", ca } = contents;
  const certificate = { cert, key: plainKey(contents.key ?? "", passphrase), ...(ca !== undefined && { ca }) };
  const fault = faultOfContext(certificate);
  if (fault !== undefined) throw new ConfigError(`${at("tls", "cert")}: ${fault}`);
  const { validTo } = new X509Certificate(cert);
  if (Date.parse(validTo) < Date.now()) warn(`${at("tls", "cert")}: ${paths.cert} has expired (${validTo})`);
  if (await isWorldReadable(paths.key ?? ""))
    warn(`${at("tls", "key")}: ${paths.key} can be read by every user of this machine`);
  return { tls: { ...tls, ...paths }, certificate };
}

const OTHER_PLACEHOLDER = "may have no placeholders but ${NAME} and ${file:/path}";

async function readPassphrase(text: string | undefined, from: string, read: ReadFile): Promise<string | undefined> {
  if (text === undefined) return undefined;
  let passphrase = "";
  for (const token of tokenize(text)) {
    if (token.kind === "file") passphrase += (await read({ value: token.name, from })).trim();
    else if (isDeferred(token)) throw new ConfigError(`${from}: ${OTHER_PLACEHOLDER}`);
    else passphrase += token.source;
  }
  return passphrase;
}

/** The key in the one form that every runtime takes. */
function plainKey(key: string, passphrase: string | undefined): string {
  const opened = createPrivateKey({ key, ...(passphrase !== undefined && { passphrase }) });
  return opened.export({ type: "pkcs8", format: "pem" }).toString();
}

/** @returns why TLS cannot use these, for people, or undefined */
function faultOfContext(certificate: ListenCertificate): string | undefined {
  try {
    createSecureContext(certificate);
    return undefined;
  } catch (error) {
    return `cannot be used (${(error as NodeJS.ErrnoException).code ?? "unknown reason"})`;
  }
}
