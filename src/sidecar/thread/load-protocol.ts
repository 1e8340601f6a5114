/** The loading of the protocol that an upstream speaks. */

import pTimeout from "p-timeout";
import type { UpstreamSettings } from "../../config/schema.ts";
import { withAnswers } from "../../protocols/answers.ts";
import { withBinaryFrames } from "../../protocols/binary-frames.ts";
import { withIgnored } from "../../protocols/ignored.ts";
import { framesOf, fromModule, type ModuleThrew, preset } from "../../protocols/presets.ts";
import type { Protocol } from "../../protocols/protocol.ts";
import { withSends } from "../../protocols/sends.ts";
import type { ProtocolTraits } from "../contract.ts";

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

/**
 * Adds the rules of the settings for every preset to a protocol: bytes are told apart from text, then answers come
 * first, and then what is ignored.
 */
export function withConfiguredRules(protocol: Protocol, settings: ProtocolSettings): Protocol {
  const frames = framesOf(settings);
  if (typeof settings === "string") return withBinaryFrames(protocol, frames);
  const { sends, ignore, answers } = settings;
  return withBinaryFrames(withAnswers(withIgnored(withSends(protocol, sends), ignore), answers), frames);
}

/** The part of a protocol, with the rules of the settings, that the host needs. */
export function traitsOf(protocol: Protocol, settings: ProtocolSettings): ProtocolTraits {
  const { name, accepts, streams = false, split, binary = accepts === "any", bytes = false, bytesIn } = protocol;
  const { size: frameBytes } = framesOf(settings) ?? {};
  const hasBytes = streams && (bytes || bytesIn !== undefined);
  return { name, accepts, streams, batches: split !== undefined, binary, bytes: hasBytes, frameBytes };
}
