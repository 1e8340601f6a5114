/** The entry of the keeper: a thread that runs an ordinary sidecar for a program that blocks all the time. */

import { workerData } from "node:worker_threads";
import { SidesocketError } from "./errors.ts";
import { Sidecar } from "./index.ts";
import type { KeeperData, KeeperReply, KeeperRequest } from "./keeper.ts";
import { BEAT_MS, end, ring, Word } from "./sidecar/line.ts";

const { options, port, words: shared } = workerData as KeeperData;
const words = new Int32Array(shared);

const reply = (message: KeeperReply): void => {
  port.postMessage(message, message.type === "line" ? [message.line.supply] : []);
  ring(words);
};

const fail = (error: unknown): void => {
  if (error instanceof SidesocketError) reply({ type: "failed", failure: error.failure });
  else reply({ type: "failed", failure: { code: "internal_error", sent: "no", detail: String(error) } });
};

// Also called for an uncaught error: a caller that is blocked wakes at once.
process.on("exit", () => end(words, 1));
setInterval(() => Atomics.add(words, Word.beat, 1), BEAT_MS);

try {
  const sidecar = await Sidecar.start(options);
  port.on("message", async (request: KeeperRequest) => {
    try {
      switch (request.type) {
        case "line":
          reply({ type: "line", line: sidecar.line() });
          break;
        case "state":
          reply({ type: "state", state: sidecar.state });
          break;
        case "exit":
          reply({ type: "exited", report: await sidecar.exit({ cause: request.cause, force: request.force }) });
          process.exit(0);
      }
    } catch (error) {
      fail(error);
    }
  });
  reply({ type: "line", line: sidecar.line() });
} catch (error) {
  fail(error);
  process.exit(0);
}
