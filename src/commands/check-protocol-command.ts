/** The command `sidesocket check-protocol`: a protocol module over recorded frames, without an upstream. */

import type { CheckProtocolCommand } from "../config/commandline.ts";
import { ConfigError } from "../config/problems.ts";
import { demandNeeds } from "../permissions/demand-permissions.ts";
import type { Decoded, DecodedMessage } from "../protocols/protocol.ts";
import { readRecording } from "../recording/read-recording.ts";
import { loadModule } from "../recording/recorded-protocol.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type CommandEnd, UNREAD } from "./failed.ts";
import { LineOutput } from "./line-output.ts";
import { PlayedConnections, shown } from "./played-connections.ts";

/** The exit code if the module threw, or returned something that cannot be used. */
const FAULTY = 1;

export async function checkProtocol(command: CheckProtocolCommand, runtime: Runtime): Promise<CommandEnd> {
  const { module, options } = command;
  const { replay } = options;
  if (replay === undefined) throw new ConfigError("check-protocol needs frames: --replay FILE");
  await demandNeeds({ net: [], read: [module, replay], write: [] }, []);
  const { entries, lines } = await readRecording(replay);
  const faults: string[] = [];
  const protocol = await loadModule(module, (what, error) => faults.push(`${what}: ${described(error)}`));
  const output = new LineOutput(runtime);
  const played = new PlayedConnections(protocol);
  const counts = { frames: 0, faults: 0 };
  const show = async (head: string, found: readonly string[]): Promise<void> => {
    const all = [...found, ...faults.splice(0).map((fault) => `fault: ${fault}`)];
    counts.faults += all.filter((result) => result.startsWith("fault: ")).length;
    await output.line(head);
    for (const result of all) await output.line(`  ${result}`);
  };
  try {
    for (const [index, entry] of entries.entries()) {
      for (const tick of played.ticksUntil(entry.at)) await show(tick.head, tick.results);
      const head = `line ${lines[index]}: `;
      if (!("connection" in entry)) continue;
      const { connection } = entry;
      const begun = entry.event === "close" ? undefined : played.begin(connection, entry.at);
      if (begun) await show(`${head}connection ${connection} opens`, begun);
      if (entry.event === "received") {
        counts.frames++;
        await show(`${head}${shown(entry.frame)}`, resultsOf(played.received(connection, entry.frame)));
      } else if (entry.event === "close" && played.end(connection)) {
        await show(`${head}connection ${connection} closes`, []);
      }
    }
    for (const connection of played.endAll()) await show(`connection ${connection} closes`, []);
    await output.line(`${counts.frames} frames, ${counts.faults} faults`);
  } catch (error) {
    if (!output.isUnread) throw error;
    return { exitCode: UNREAD, joined: true };
  }
  return { exitCode: counts.faults === 0 ? 0 : FAULTY, joined: true };
}

/** The module's results for a frame, in words. */
function resultsOf(decoded: Decoded): readonly string[] {
  if (decoded.type === "ignored") return [];
  const results =
    decoded.type === "several" ? decoded.results : [decoded.type === "aliased" ? decoded.otherwise : decoded];
  return results.filter((result) => result.type !== "noise" || !THREW.test(result.why)).map(resultText);
}

/** The words of protocols/module.ts for a result that it cannot use; what was thrown is reported with its place. */
const UNUSABLE = /^the protocol's decode returned/;
const THREW = /^the protocol's decode threw/;

function resultText(result: DecodedMessage): string {
  switch (result.type) {
    case "noise":
      return UNUSABLE.test(result.why) ? `fault: ${result.why}` : `noise: ${result.why}`;
    case "error":
      return `error, which fails ${result.fails === "all" ? "all requests" : "the oldest request"}`;
    case "answer":
      return `answer: ${shown(result.frame)}`;
    case "message":
      return result.render ? `message: ${shown(result.render(undefined))}` : "message";
    case "invalid":
      return `invalid reply to ${result.id}: ${result.why}`;
    default:
      return result.render
        ? `${result.type} to ${result.id}: ${shown(result.render(undefined))}`
        : `${result.type} to ${result.id}`;
  }
}

/** The error with its place in the module. */
function described(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const [, place] = /^\s+at .*?([^/\\(\s]+:\d+:\d+)\)?$/m.exec(error.stack ?? "") ?? [];
  return `${error.name}: ${error.message}${place === undefined ? "" : ` (${place})`}`;
}
