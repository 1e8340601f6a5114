/** The files of TLS: certificates and keys, as the configuration names them. */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { codeOf, readSecretFile, Unresolved } from "./secret-file.ts";

/** The settings whose values are paths. */
export const TLS_FILES = ["ca", "cert", "key", "pfx"] as const;

type TlsFiles = { readonly [Key in (typeof TLS_FILES)[number]]?: string | undefined };

/** The contents of the files: PEM, and the bytes of a PFX in base64. */
export type TlsContents = TlsFiles & { readonly passphrase?: string | undefined };

const MARKS = { ca: "CERTIFICATE-----", cert: "CERTIFICATE-----", key: "PRIVATE KEY-----", pfx: "" } as const;
const NAMES = { ca: "certificate", cert: "certificate", key: "private key", pfx: "" } as const;

/** @returns the rest of a sentence that begins with the path, or undefined if the file is what the setting wants */
export function faultOfFile(setting: (typeof TLS_FILES)[number], text: string): string | undefined {
  const isThere = MARKS[setting] === "" || new RegExp(`-----BEGIN [A-Z ]*${MARKS[setting]}`).test(text);
  return isThere ? undefined : `has no ${NAMES[setting]} in PEM format`;
}

/** @returns why these do not belong together, for people, or undefined; a PFX is only opened by the handshake */
export function faultOfPair({ cert, key, passphrase }: TlsContents): string | undefined {
  if (cert === undefined || key === undefined) return undefined;
  let opened: ReturnType<typeof createPrivateKey>;
  try {
    opened = createPrivateKey({ key, ...(passphrase !== undefined && { passphrase }) });
  } catch {
    return passphrase === undefined
      ? "tls.key cannot be opened: it may need tls.passphrase"
      : "tls.passphrase does not open tls.key";
  }
  try {
    return new X509Certificate(cert).checkPrivateKey(opened) ? undefined : "tls.key does not fit tls.cert";
  } catch {
    return "tls.cert cannot be read as a certificate";
  }
}

/** Reads the files anew, since certificates are rotated. @throws Unresolved */
export async function readTlsFiles<Settings extends TlsContents>(settings: Settings): Promise<Settings> {
  const contents: Record<string, string> = {};
  for (const setting of TLS_FILES) {
    const path = settings[setting];
    if (path === undefined) continue;
    const content = setting === "pfx" ? await readBase64(path) : await readSecretFile(path);
    const fault = faultOfFile(setting, content);
    if (fault !== undefined) throw new Unresolved(`${path} ${fault} (tls.${setting})`);
    contents[setting] = content;
  }
  const read = { ...settings, ...contents };
  const fault = faultOfPair(read);
  if (fault !== undefined) throw new Unresolved(fault);
  return read;
}

async function readBase64(path: string): Promise<string> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw new Unresolved(`${path} cannot be read (${codeOf(error)})`);
  });
  return bytes.toString("base64");
}
