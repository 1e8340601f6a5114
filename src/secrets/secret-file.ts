/** The reading of the files that placeholders name. */

import { readFile } from "node:fs/promises";
import { localSocketOf } from "../local-socket.ts";

/** The reason why a placeholder has no value, for people: it names files and modules, never their content. */
export class Unresolved extends Error {}

/** The characters outside a header's value: values of files and modules were not checked with the configuration. */
const NOT_IN_A_HEADER = /[^\t\x20-\x7e\x80-\xff]/;

/** Reads a file's text without the white space around it. @throws Unresolved */
export async function readSecretFile(path: string, signal?: AbortSignal): Promise<string> {
  const text = await readFile(path, { encoding: "utf8", ...(signal && { signal }) }).catch((error: unknown) => {
    throw new Unresolved(`${path} cannot be read (${codeOf(error)})`);
  });
  if (text.trim() === "") throw new Unresolved(`${path} is empty`);
  return text.trim();
}

/** Checks that no value leads to another host or breaks out of its header. @throws Unresolved */
export function checkResolved(
  configured: string,
  { url, headers }: { readonly url: string; readonly headers: Readonly<Record<string, string>> },
): void {
  const hostOf = (text: string) => localSocketOf(text)?.path ?? (URL.canParse(text) ? new URL(text).host : undefined);
  if (url.includes("#") || /\s/.test(url) || hostOf(url) !== hostOf(configured)) {
    throw new Unresolved("a resolved value is not allowed in the url");
  }
  const wrong = Object.entries(headers).find(([, value]) => NOT_IN_A_HEADER.test(value));
  if (wrong) throw new Unresolved(`a resolved value is not allowed in the header ${wrong[0]}`);
}

/** Describes an error by its name and code, since its message may hold a secret. */
export function codeOf(error: unknown): string {
  const { name, code } = (error ?? {}) as { readonly name?: unknown; readonly code?: unknown };
  const parts = [name, code].filter((part) => typeof part === "string" && /^\w{1,64}$/.test(part));
  return parts.length === 0 ? "unknown reason" : parts.join(" ");
}
