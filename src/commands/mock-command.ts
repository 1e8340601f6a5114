/** The command `sidesocket mock`: a recording, served on loopback in the place of its upstream. */

import { type MockCommand, readSetting } from "../config/commandline.ts";
import { readLog } from "../config/load.ts";
import { ConfigError } from "../config/problems.ts";
import { deferred } from "../core/util/deferred.ts";
import { errorLines, log, outputLines, startLog } from "../logs/log.ts";
import { demandNeeds } from "../permissions/demand-permissions.ts";
import { textOf } from "../protocols/json-message.ts";
import { parsePointer } from "../protocols/json-place.ts";
import type { Body } from "../protocols/protocol.ts";
import { startMock } from "../recording/mock-server.ts";
import { scenesOf } from "../recording/playback.ts";
import { readRecording } from "../recording/read-recording.ts";
import { recordedProtocol } from "../recording/recorded-protocol.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { excerptOf } from "../secrets/secrets.ts";
import { endOnSignals } from "../service/signals.ts";
import type { CommandEnd } from "./failed.ts";

/** The exit code if a frame came that was not recorded. */
const UNRECORDED = 1;

export async function mock(command: MockCommand, runtime: Runtime): Promise<CommandEnd> {
  const { file, flags } = command;
  startLog(readLog(flags, process.env));
  const options = readOptions(command);
  const [protocolGiven] = readSetting("protocol", flags, process.env);
  await demandNeeds({ net: ["127.0.0.1"], read: [file], write: [] }, []);
  const { head, entries } = await readRecording(file);
  const { protocol, frames } = await recordedProtocol(head, protocolGiven?.value);
  const scenes = scenesOf(entries, protocol, options.ignored);
  if (scenes.length === 0) throw new ConfigError(`${file}: no connection of the recording was open`);

  let unrecorded = 0;
  const server = await startMock({
    ...options,
    scenes,
    protocol,
    frames,
    onUnrecorded(connection, frame, next) {
      unrecorded++;
      const expected = next === undefined ? "nothing is left to be sent" : `next would be: ${shown(next)}`;
      errorLines.push(`connection ${connection}: not in the recording: ${shown(frame)} (${expected})\n`);
    },
  });
  outputLines.push(`listening on ${server.url}\n`);
  const ended = deferred<void>();
  const giveSignalsBack = endOnSignals(runtime.endingSignals, () => ended.resolve());
  await ended.promise;
  await server.stop();
  giveSignalsBack();
  log.debug("exit", { unrecorded });
  return { exitCode: unrecorded === 0 ? 0 : UNRECORDED, joined: true };
}

function shown(frame: Body): string {
  return excerptOf(textOf(frame), []);
}

/** @throws ConfigError for an option that is invalid */
function readOptions({ flags, options: { speed, immediate = false, strict = false, ignore = [] } }: MockCommand) {
  const [portGiven] = readSetting("port", flags, {});
  const port = Number(portGiven?.value ?? 0);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new ConfigError("--port must be from 0 to 65535");
  if (immediate && speed !== undefined) throw new ConfigError("--speed and --immediate exclude each other");
  const factor = immediate ? Number.POSITIVE_INFINITY : Number(speed ?? 1);
  if (!(factor > 0)) throw new ConfigError("--speed must be a number greater than 0, such as 10 or 0.5");
  try {
    return { port, speed: factor, strict, ignored: ignore.map(parsePointer) };
  } catch (error) {
    throw new ConfigError(`--ignore: ${(error as Error).message}`);
  }
}
