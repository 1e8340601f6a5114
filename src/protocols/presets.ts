/** Registry of the built-in presets, by name. */

import type { AnswerRule } from "./answers.ts";
import { cdp } from "./cdp.ts";
import type { Condition } from "./condition.ts";
import { DIALECTS, type DialectName, type DialectSettings } from "./dialects.ts";
import type { FrameOptions } from "./frames.ts";
import { GRAPHQL_TRANSPORT_WS, type GraphqlOptions, graphqlTransportWs } from "./graphql-transport-ws.ts";
import { type HomeAssistantOptions, homeAssistant } from "./home-assistant.ts";
import { type JsonOptions, json } from "./json.ts";
import { jsonByOrder } from "./json-by-order.ts";
import { type JsonRpcOptions, jsonRpcWith } from "./json-rpc.ts";
import { type ObsOptions, obs } from "./obs.ts";
import type { Preset } from "./preset.ts";
import type { Protocol } from "./protocol.ts";
import { ending, hasTextRules, type TextOptions, text } from "./text.ts";
import { textByOrder } from "./text-by-order.ts";
import { textIds } from "./text-ids.ts";

export { fromModule, type ModuleThrew } from "./module.ts";

/** The settings of each preset. */
interface Settings extends DialectSettings {
  readonly "json-rpc": JsonRpcOptions;
  readonly json: JsonOptions & { readonly correlation?: Protocol["correlation"] | undefined };
  readonly text: TextOptions;
  readonly cdp: object;
  readonly [GRAPHQL_TRANSPORT_WS]: GraphqlOptions;
  readonly "home-assistant": HomeAssistantOptions;
  readonly obs: ObsOptions;
}

const BUILT: {
  readonly [Name in Exclude<keyof Settings, DialectName>]: (settings: Settings[Name], seed?: string) => Preset;
} = {
  "json-rpc": (settings) => ({ protocol: jsonRpcWith(settings) }),
  json: (settings, seed) => ({
    protocol: settings.correlation === "order" ? jsonByOrder(settings) : json(settings, "json", seed),
  }),
  text: ({ id, ...rules }) => ({
    protocol: id ? textIds({ id, ...rules }) : hasTextRules(rules) ? textByOrder(rules) : { ...text, ...ending(rules) },
  }),
  cdp,
  [GRAPHQL_TRANSPORT_WS]: graphqlTransportWs,
  "home-assistant": homeAssistant,
  obs,
};

const dialects = Object.entries(DIALECTS).map(([name, { build }]) => [name, build] as const);

/** The only list of presets; the configuration's schema takes their names from here. */
const PRESETS: Readonly<Record<string, (settings: never, seed?: string) => Preset>> = {
  ...BUILT,
  ...Object.fromEntries(dialects),
};

/** The settings of every preset. */
interface CommonSettings {
  readonly frames?: FrameOptions | undefined;
  readonly answers?: readonly AnswerRule[] | undefined;
  readonly ignore?: readonly Condition[] | undefined;
  readonly sends?: readonly Condition[] | undefined;
}

/** A preset's name with its settings. The configuration's schema refuses unknown ones. */
export type PresetSettings = {
  [Name in PresetName]: { readonly preset: Name } & CommonSettings & Settings[Name];
}[PresetName];

export type PresetName = keyof Settings;

export const presetNames = Object.keys(PRESETS) as readonly PresetName[];

/**
 * Builds the preset of that name, without what every preset takes; undefined if there is none. Throws if its settings
 * are invalid.
 *
 * @param seed a random UUID, for ids that no other process may have
 */
export function preset(nameOrSettings: string | PresetSettings, seed?: string): Preset | undefined {
  const settings = typeof nameOrSettings === "string" ? { preset: nameOrSettings } : nameOrSettings;
  if (!Object.hasOwn(PRESETS, settings.preset)) return undefined;
  const build = PRESETS[settings.preset] as (settings: object, seed?: string) => Preset;
  return build(settings, seed);
}

/** How messages lie in frames: as the settings say, or as the preset brings it. */
export function framesOf(settings: string | PresetSettings): FrameOptions | undefined {
  const given = typeof settings === "string" ? undefined : settings.frames;
  return given ? { ...preset(settings)?.frames, ...given } : preset(settings)?.frames;
}
