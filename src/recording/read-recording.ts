/** The reading of a recording from its file. */

import { readFile } from "node:fs/promises";
import { ConfigError } from "../config/problems.ts";
import { codeOf } from "../secrets/secret-file.ts";
import { parseRecording, type Recording } from "./recording-format.ts";

/** @throws ConfigError if the file cannot be read, or is no recording */
export async function readRecording(path: string): Promise<Recording> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new ConfigError(`${path} cannot be read (${codeOf(error)})`);
  });
  try {
    return parseRecording(text);
  } catch (error) {
    throw new ConfigError(`${path}: ${(error as Error).message}`);
  }
}
