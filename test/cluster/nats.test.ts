/** The engine over Debian's `nats-server` meets the expectations of all engines, and prints nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { natsEngine } from "../../src/cluster/nats.ts";
import { JetStream, lacksNats } from "../support/jetstream.ts";
import { expectEngine, settingsOf } from "./engine-expectations.ts";

/** The library tells of an exception in a callback by `console.log`, and then hears nothing more. */
const printed: unknown[] = [];
console.log = (...all: unknown[]) => printed.push(all);

expectEngine("NATS", { skip: lacksNats }, async (t) => {
  const server = await JetStream.start({ t });
  return {
    join: (member) => natsEngine(settingsOf([server.url], member)),
    lose: () => server.kill(),
    recover: () => server.start(),
  };
});

test("nothing was printed on standard output", { skip: lacksNats }, () => assert.deepEqual(printed, []));
