/** The fake of an engine meets the expectations of the real one, and breaks where a test breaks it. */
import { expectEngine, MESSAGE_BYTES } from "../cluster/engine-expectations.ts";
import { MemoryServer } from "./memory-engine.ts";

expectEngine("memory", { skip: false }, async () => {
  const server = new MemoryServer({ messageBytes: MESSAGE_BYTES });
  return {
    join: (member) => server.join(member),
    lose: async () => server.stop(),
    recover: async () => server.start(),
  };
});
