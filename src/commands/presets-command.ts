/** The command `sidesocket presets`: the presets with a line each, and the configuration to start from. */

import type { PresetsCommand } from "../config/commandline.ts";
import { ConfigError } from "../config/problems.ts";
import { meant } from "../config/suggestions.ts";
import { MODULE_TEMPLATE } from "../protocols/module-template.ts";
import { PRESET_GUIDES, type PresetGuide } from "../protocols/preset-guides.ts";

/** Stands among the presets for a protocol of the user's own. */
const MODULE = "module";

/** @throws ConfigError for a preset that nobody knows */
export function presets({ preset }: Pick<PresetsCommand, "preset">): string {
  if (preset === undefined) return listOf(Object.entries(PRESET_GUIDES));
  if (preset === MODULE) return MODULE_TEMPLATE.join("\n");
  const guides: Readonly<Record<string, PresetGuide>> = PRESET_GUIDES;
  if (!Object.hasOwn(guides, preset))
    throw new ConfigError(`unknown preset (${meant(preset, [...Object.keys(guides), MODULE])})`);
  const { purpose, start } = guides[preset] as PresetGuide;
  return [`# ${preset}: ${purpose}`, ...start].join("\n");
}

function listOf(guides: readonly (readonly [name: string, guide: PresetGuide])[]): string {
  const width = Math.max(...guides.map(([name]) => name.length));
  return guides.map(([name, { purpose }]) => `${name.padEnd(width)}  ${purpose}`).join("\n");
}
