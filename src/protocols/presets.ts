/**
 * Everything by which a configuration can name a protocol: the presets that come with the product, by their names, and
 * a user's module.
 */

import { type JsonOptions, json } from "./json.ts";
import { jsonRpc } from "./json-rpc.ts";
import type { Protocol } from "./protocol.ts";
import { text } from "./text.ts";

export { fromModule } from "./module.ts";

/** A preset with its settings. Those that it does not know are for the configuration's schema to refuse. */
export interface PresetSettings extends JsonOptions {
  readonly preset: string;
}

const PRESETS: ReadonlyMap<string, (settings: PresetSettings) => Protocol> = new Map([
  ["json-rpc", () => jsonRpc],
  ["json", json],
  ["text", () => text],
]);

export const presetNames: readonly string[] = [...PRESETS.keys()];

/** The preset of that name, undefined when there is none. Throws an Error when its settings are wrong. */
export function preset(settings: string | PresetSettings): Protocol | undefined {
  const given = typeof settings === "string" ? { preset: settings } : settings;
  return PRESETS.get(given.preset)?.(given);
}
