/** The fake of an engine meets the expectations of the real one, and breaks where a test breaks it. */
import { CLAIMS_MAX, expectEngine, MESSAGE_BYTES } from "../cluster/engine-expectations.ts";
import { MemoryServer } from "./memory-engine.ts";

expectEngine("memory", { skip: false }, async () => {
  const server = new MemoryServer({ messageBytes: MESSAGE_BYTES, claimsMax: CLAIMS_MAX });
  return {
    join: (member) => server.join(member),
    lose: async () => server.stop(),
    recover: async () => server.start(),
  };
});
