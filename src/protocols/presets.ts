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
import { type TextOptions, text } from "./text.ts";

export { fromModule } from "./module.ts";

/** What each can be told. */
interface Settings {
  readonly "json-rpc": object;
  readonly json: JsonOptions;
  readonly text: TextOptions;
  readonly cdp: object;
  readonly [GRAPHQL_TRANSPORT_WS]: GraphqlOptions;
  readonly "home-assistant": HomeAssistantOptions;
  readonly obs: ObsOptions;
}

/** The one place where their names stand. The schema of the configuration takes them from here. */
const PRESETS: { readonly [Name in keyof Settings]: (settings: Settings[Name]) => Preset } = {
  "json-rpc": () => ({ protocol: jsonRpc }),
  json: (settings) => ({ protocol: json(settings) }),
  text: ({ id, ...rules }) => ({
    protocol: id ? async () => (await import("./text-ids.ts")).textIds({ id, ...rules }) : text,
  }),
  cdp,
  [GRAPHQL_TRANSPORT_WS]: graphqlTransportWs,
  "home-assistant": homeAssistant,
  obs,
};

/** A preset with its settings. Those that it does not know are for the configuration's schema to refuse. */
export type PresetSettings = { [Name in PresetName]: { readonly preset: Name } & Settings[Name] }[PresetName];

export type PresetName = keyof Settings;

export const presetNames = Object.keys(PRESETS) as readonly PresetName[];

/** The preset of that name, undefined when there is none. Throws an Error when its settings are wrong. */
export function preset(settings: string | PresetSettings): Preset | undefined {
  const given = typeof settings === "string" ? { preset: settings } : settings;
  if (!Object.hasOwn(PRESETS, given.preset)) return undefined;
  const make = PRESETS[given.preset as PresetName] as (settings: object) => Preset;
  return make(given);
}
