/** Paths as the user writes them, made absolute. */

import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/**
 * The absolute form of a path in the configuration.
 * @param folder the base of a relative path
 */
export function resolvePath(path: string, folder: string): string {
  return resolve(folder, path);
}

/**
 * The absolute `file:` URL of a module that is configured as a path or as a `file:` URL.
 * @returns undefined if it names no file of this machine
 */
export function resolveModule(path: string, folder: string): string | undefined {
  if (!path.startsWith("file:")) return pathToFileURL(resolve(folder, path)).href;
  try {
    const { href } = new URL(path, `${pathToFileURL(resolve(folder)).href}/`);
    fileURLToPath(href);
    return href;
  } catch {
    return undefined;
  }
}
