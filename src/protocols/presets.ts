/**
 * Everything by which a configuration can name a protocol: the presets that come with the product, by their names, and
 * a user's module.
 */

import { cdp } from "./cdp.ts";
import { GRAPHQL_TRANSPORT_WS, type GraphqlOptions, graphqlTransportWs } from "./graphql-transport-ws.ts";
import { type HomeAssistantOptions, homeAssistant } from "./home-assistant.ts";
import { type JsonOptions, json } from "./json.ts";
import { jsonRpc } from "./json-rpc.ts";
import { type ObsOptions, obs } from "./obs.ts";
import type { Preset } from "./preset.ts";
import { text } from "./text.ts";

export { fromModule } from "./module.ts";

/** A preset with its settings. Those that it does not know are for the configuration's schema to refuse. */
export interface PresetSettings extends JsonOptions, GraphqlOptions, HomeAssistantOptions, ObsOptions {
  readonly preset: string;
}

/** The one place where their names stand. The schema of the configuration takes them from here. */
const PRESETS = {
  "json-rpc": (): Preset => ({ protocol: jsonRpc }),
  json: (settings: PresetSettings): Preset => ({ protocol: json(settings) }),
  text: (): Preset => ({ protocol: text }),
  cdp,
  [GRAPHQL_TRANSPORT_WS]: graphqlTransportWs,
  "home-assistant": homeAssistant,
  obs,
} as const satisfies Readonly<Record<string, (settings: PresetSettings) => Preset>>;

export type PresetName = keyof typeof PRESETS;

export const presetNames = Object.keys(PRESETS) as readonly PresetName[];

/** The preset of that name, undefined when there is none. Throws an Error when its settings are wrong. */
export function preset(settings: string | PresetSettings): Preset | undefined {
  const given = typeof settings === "string" ? { preset: settings } : settings;
  if (!Object.hasOwn(PRESETS, given.preset)) return undefined;
  return PRESETS[given.preset as PresetName](given);
}
