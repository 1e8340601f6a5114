import pTimeout from "p-timeout";
import type { UpstreamSettings } from "../../config/schema.ts";
import { fromModule, preset } from "../../protocols/presets.ts";
import type { Protocol } from "../../protocols/protocol.ts";

/** How long a user's module may take to load: it may wait for something that never comes. */
const LOAD_WITHIN_MS = 10_000;

/** The protocol that the settings name. Rejects with a plain Error that says what is wrong, and with which file. */
export async function loadProtocol(
  settings: UpstreamSettings["protocol"],
  withinMs = LOAD_WITHIN_MS,
): Promise<Protocol> {
  const known = preset(settings)?.protocol;
  if (known) return typeof known === "function" ? known() : known;
  const path = typeof settings === "string" ? settings : settings.preset;
  const message = `it was not loaded within ${withinMs / 1_000} s`;
  try {
    return fromModule(await pTimeout(import(path), { milliseconds: withinMs, message }));
  } catch (error) {
    throw new Error(`${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
