/** The format of recordings (docs/recordings.md): JSON lines, a head and then an entry for each event. */

import { base64Of } from "../protocols/bytes.ts";
import type { PresetSettings } from "../protocols/presets.ts";
import type { Body } from "../protocols/protocol.ts";
import type { TapeEntry } from "../sidecar/contract.ts";

export const RECORDING_VERSION = 1;

/** The first line. */
export interface RecordingHead {
  readonly recording: typeof RECORDING_VERSION;
  /** The version of the program that wrote it. */
  readonly sidesocket: string;
  readonly upstream: string;
  /** A preset with its options; of a module only the name of its file. */
  readonly protocol: string | PresetSettings | { readonly module: string };
  readonly started: string;
}

/** An entry; `at` is in milliseconds since the recording began. */
export type RecordingEntry =
  | Exclude<TapeEntry, { readonly event: "full" }>
  /** The last line. Without it the recording was cut off. */
  | { readonly at: number; readonly event: "end"; readonly why: string };

export type FrameEntry = Extract<RecordingEntry, { readonly frame: Body }>;
export type CloseEntry = Extract<RecordingEntry, { readonly event: "close" }>;

export interface Recording {
  /** Undefined in a file of entries alone, which people may write by hand. */
  readonly head: RecordingHead | undefined;
  readonly entries: readonly RecordingEntry[];
  /** The number of each entry's line. */
  readonly lines: readonly number[];
}

/** Returns an entry as a line, without the line break. */
export function entryLine(entry: RecordingEntry): string {
  const { at, event, ...rest } = entry;
  if (!("frame" in rest)) return JSON.stringify({ at, event, ...rest });
  const { frame, connection } = rest;
  return JSON.stringify({ at, event, connection, ...written(frame) });
}

function written(frame: Body): { readonly text: string } | { readonly base64: string } {
  if (typeof frame === "string") return { text: frame };
  return { base64: base64Of(frame) };
}

/**
 * Reads a recording. Events that it does not know are left out: a later version of the program may have written them.
 * @throws RangeError that names the line, and what is wrong with it
 */
export function parseRecording(text: string): Recording {
  let head: RecordingHead | undefined;
  const entries: RecordingEntry[] = [];
  const lines: number[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const wrong = (what: string) => new RangeError(`line ${index + 1}: ${what}`);
    const fields = fieldsOf(line);
    if (fields === undefined) throw wrong("it is no JSON object: the file is no recording, or was cut off here");
    if (fields.recording !== undefined) {
      if (fields.recording !== RECORDING_VERSION)
        throw wrong(`its version is not ${RECORDING_VERSION}: use the sidesocket that wrote it, or a newer one`);
      head = fields as unknown as RecordingHead;
      continue;
    }
    const entry = entryOf(fields);
    if (typeof entry === "string") throw wrong(entry);
    if (!entry) continue;
    entries.push(entry);
    lines.push(index + 1);
  }
  if (head === undefined && entries.length === 0) throw new RangeError("it holds no entry of a recording");
  return { head, entries, lines };
}

type LineFields = Readonly<Record<string, unknown>>;

function fieldsOf(line: string): LineFields | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as LineFields) : undefined;
  } catch {
    return undefined;
  }
}

/** @returns what is wrong, as a text; undefined for an event that is not known */
function entryOf(fields: LineFields): RecordingEntry | string | undefined {
  const at = numberIn(fields.at) ?? 0;
  const connection = numberIn(fields.connection) ?? 1;
  const text = (name: string) => (typeof fields[name] === "string" ? fields[name] : "");
  switch (fields.event) {
    case "open": {
      const offered = Array.isArray(fields.offered) ? fields.offered.map(String) : [];
      return {
        at,
        event: "open",
        connection,
        url: text("url"),
        headers: {},
        offered,
        subprotocol: text("subprotocol"),
      };
    }
    case "sent":
    case "received": {
      const frame = frameOf(fields);
      if (frame === undefined) return `a frame that was ${fields.event} needs its text, or its bytes as base64`;
      return { at, event: fields.event, connection, frame };
    }
    case "close": {
      const by = fields.by === "us" || fields.by === "peer" ? fields.by : null;
      const code = numberIn(fields.code) ?? null;
      return { at, event: "close", connection, by, code, reason: text("reason"), why: text("why") };
    }
    case "failed":
      return { at, event: "failed", why: text("why") };
    case "end":
      return { at, event: "end", why: text("why") };
    default:
      return typeof fields.event === "string" ? undefined : "it has no event";
  }
}

function frameOf({ text, base64 }: LineFields): Body | undefined {
  if (typeof text === "string") return text;
  return typeof base64 === "string" ? new Uint8Array(Buffer.from(base64, "base64")) : undefined;
}

function numberIn(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
}
