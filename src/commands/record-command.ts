/** The command `sidesocket record`: the service, with what one of its upstreams exchanges on standard output. */

import { basename } from "node:path";
import type { RecordCommand } from "../config/commandline.ts";
import type { LoadedConfig } from "../config/load.ts";
import { ConfigError } from "../config/problems.ts";
import { isModulePath } from "../config/protocol-settings.ts";
import type { UpstreamSettings } from "../config/schema.ts";
import { maskText } from "../protocols/masked-frame.ts";
import { Recorder } from "../recording/recorder.ts";
import { RECORDING_VERSION, type RecordingHead } from "../recording/recording-format.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { secretsOf } from "../secrets/secrets.ts";
import { version } from "../version.ts";
import { durationOption, sizeOption } from "./measures.ts";
import { oneUpstream } from "./one-upstream.ts";

/** The most bytes of a recording, unless the user sets another bound. */
const RECORDING_BYTES = 64 * 1024 * 1024;
const RECORDING_MIN_BYTES = 4 * 1024;
/** The time that a slow reader of the recording has for the rest of it, in milliseconds. */
const REST_WITHIN_MS = 2_000;

/** A recording of a service, which has its configuration already and has not started yet. */
export interface ServiceRecording {
  readonly recorder: Recorder;
  /** The upstream that is recorded. */
  readonly upstream: string;
  /** To be called when the service listens: from then on the time counts. */
  begin(): void;
  /** Writes the end. Resolves when the reader has all of it, or has had its time. */
  end(why: string): Promise<void>;
}

/** @throws ConfigError for an option that is invalid, or an upstream that nobody knows */
export function recording({ options }: RecordCommand, config: LoadedConfig, { write }: Runtime): ServiceRecording {
  const bytes = sizeOption("bytes", options.bytes) ?? RECORDING_BYTES;
  if (bytes < RECORDING_MIN_BYTES) throw new ConfigError("--bytes must be at least 4KiB");
  const forMs = durationOption("for", options.for);
  const [[upstream, settings] = ["default", undefined]] = oneUpstream(config, options.to);
  const protocol = shownProtocol(settings);
  const head = { recording: RECORDING_VERSION, sidesocket: version, upstream, protocol } as const;
  const recorder = new Recorder(bytes, head, (chunk) => write("stdout", chunk));
  let timer: NodeJS.Timeout | undefined;
  return {
    recorder,
    upstream,
    begin() {
      if (forMs !== undefined) timer = setTimeout(() => recorder.finish("time"), forMs);
    },
    async end(why) {
      clearTimeout(timer);
      const late = new Promise<void>((resolve) => setTimeout(resolve, REST_WITHIN_MS).unref());
      await Promise.race([recorder.end(why), late]);
    },
  };
}

/** The protocol as the head of a recording has it: without secrets, and a module without its folder. */
function shownProtocol(settings: UpstreamSettings | undefined): RecordingHead["protocol"] {
  if (settings === undefined) return "json-rpc";
  const { protocol } = settings;
  if (typeof protocol === "string") return isModulePath(protocol) ? { module: basename(protocol) } : protocol;
  const masked = JSON.parse(maskText(JSON.stringify(protocol), secretsOf(settings))) as typeof protocol;
  return { ...masked, preset: protocol.preset } as typeof protocol;
}
