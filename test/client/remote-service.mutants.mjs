/** Mutants of `src/client/remote-service.ts`. */
export default {
  tests: ["test/contract/client"],
  mutants: [
    ["what sends no message may have sent it", 'call.method === "GET" ? "no" : "maybe"', '"maybe"'],
    ["any failure to connect may have sent it", 'isNotConnected(error) ? "no" : sent', "sent"],
    ["whatever has a status is a failure of sidesocket", 'if (typeof code !== "string")', "if (false)"],
  ],
};
