/** The engine over Debian's `nats-server`: the expectations of all engines, and the traps of NATS. */
import { natsEngine } from "../../src/cluster/nats.ts";
import { JetStream, lacksNats } from "../support/jetstream.ts";
import { expectEngine, settingsOf } from "./engine-expectations.ts";

expectEngine("NATS", { skip: lacksNats }, async (t) => {
  const server = await JetStream.start({ t });
  return {
    join: (member) => natsEngine(settingsOf([server.url], member)),
    lose: () => server.kill(),
    recover: () => server.start(),
  };
});
