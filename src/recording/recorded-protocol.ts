/** The protocol that a recording was made with. */

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ConfigError } from "../config/problems.ts";
import { isModulePath } from "../config/protocol-settings.ts";
import type { FrameOptions } from "../protocols/frames.ts";
import { ANY_SEED } from "../protocols/id-kinds.ts";
import { preparePatterns } from "../protocols/lazy-pattern.ts";
import { framesOf, fromModule, type ModuleThrew, preset, presetNames } from "../protocols/presets.ts";
import type { Protocol } from "../protocols/protocol.ts";
import type { RecordingHead } from "./recording-format.ts";

export interface RecordedProtocol {
  readonly protocol: Protocol;
  readonly frames: FrameOptions;
}

/**
 * Loads the protocol of a recording.
 * @param given the preset or the path of a module that the user names instead
 * @throws ConfigError if there is none, or it cannot be used
 */
export async function recordedProtocol(
  head: RecordingHead | undefined,
  given: string | undefined,
): Promise<RecordedProtocol> {
  const settings = given ?? head?.protocol;
  if (settings === undefined) throw new ConfigError("the recording names no protocol: give it with --protocol");
  if (typeof settings === "string" && isModulePath(settings))
    return { protocol: await loadModule(settings), frames: {} };
  if (typeof settings === "object" && "module" in settings)
    throw new ConfigError(`the recording was made with the module ${settings.module}: give its path with --protocol`);
  try {
    await preparePatterns(settings);
    const known = preset(settings, ANY_SEED)?.protocol;
    if (known) {
      const frames = framesOf(settings);
      return { protocol: typeof known === "function" ? await known() : known, frames: frames ?? {} };
    }
  } catch (error) {
    throw new ConfigError(`the protocol of the recording cannot be used: ${(error as Error).message}`);
  }
  throw new ConfigError(`--protocol: must be a preset (${presetNames.join(", ")}) or the path of a module (./mine.js)`);
}

/** @throws ConfigError if the module cannot be loaded, or is no protocol */
export async function loadModule(path: string, threw: ModuleThrew = () => {}): Promise<Protocol> {
  const url = path.startsWith("file:") ? path : pathToFileURL(resolve(path)).href;
  try {
    return fromModule(await import(url), threw);
  } catch (error) {
    throw new ConfigError(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
