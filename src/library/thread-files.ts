/** The places of the files that threads begin with, which a bundler may have moved. */

import { pathToFileURL } from "node:url";
import { refused } from "../errors.ts";
import { hasFile } from "../runtime/has-file.ts";

/** The option that names such a file, and the path of the file in the package. */
const FILES = {
  threadFile: "dist/runtime/sidesocket-thread.mjs",
  keeperFile: "dist/sidesocket-keeper.mjs",
} as const;

/**
 * Finds the file that a thread begins with.
 * @param given what the program says about it: a path, or a URL as text or object
 * @param beside the URL of the file beside our own module, or beside the bundle that our module is in
 * @throws SidesocketError with the code `invalid_config` if it is not there: such a thread would end again and again
 */
export function findThreadFile(option: keyof typeof FILES, given: string | URL | undefined, beside: () => URL): URL {
  const url = given === undefined ? urlOf(beside) : asUrl(given);
  if (url && hasFile(url)) return url;
  const copy = `node_modules/sidesocket/${FILES[option]}`;
  const why = url
    ? `is not at ${url.href}: copy ${copy} there, or say with \`${option}\` where it is`
    : `cannot be found from a bundle that is no ES module: say with \`${option}\` where ${copy} is, or a copy of it`;
  throw refused("invalid_config", `${option}: the file that a thread begins with ${why}`);
}

function asUrl(given: string | URL): URL {
  if (given instanceof URL) return given;
  return /^(?:file|https?):/.test(given) ? new URL(given) : pathToFileURL(given);
}

/** In a bundle of CommonJS there is no `import.meta.url`. */
function urlOf(beside: () => URL): URL | undefined {
  try {
    return beside();
  } catch {
    return undefined;
  }
}
