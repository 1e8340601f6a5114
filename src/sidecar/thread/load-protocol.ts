/** The loading of the protocol that an upstream speaks. */

import pTimeout from "p-timeout";
import type { UpstreamSettings } from "../../config/schema.ts";
import { withAnswers } from "../../protocols/answers.ts";
import { withIgnored } from "../../protocols/ignored.ts";
import { fromModule, type ModuleThrew, preset } from "../../protocols/presets.ts";
import type { Protocol } from "../../protocols/protocol.ts";
import { withSends } from "../../protocols/sends.ts";

type ProtocolSettings = UpstreamSettings["protocol"];

/** The time that a user's module has to load: it may await something that never happens. */
const LOAD_WITHIN_MS = 10_000;

/** Loads the protocol that the settings name. Rejects with a plain Error that names the file and the reason. */
export async function loadProtocol(
  settings: ProtocolSettings,
  threw: ModuleThrew = () => {},
  withinMs = LOAD_WITHIN_MS,
): Promise<Protocol> {
  const known = preset(settings, crypto.randomUUID())?.protocol;
  if (known) return typeof known === "function" ? known() : known;
  const path = typeof settings === "string" ? settings : settings.preset;
  const message = `it was not loaded within ${withinMs / 1_000} s`;
  try {
    return fromModule(await pTimeout(import(path), { milliseconds: withinMs, message }), threw);
  } catch (error) {
    throw new Error(`${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** Adds the rules of the settings for every preset to a protocol: its answers come first, then what is ignored. */
export function withConfiguredRules(protocol: Protocol, settings: ProtocolSettings): Protocol {
  if (typeof settings === "string") return protocol;
  return withAnswers(withIgnored(withSends(protocol, settings.sends), settings.ignore), settings.answers);
}
