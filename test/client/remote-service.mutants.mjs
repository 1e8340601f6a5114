/** Mutants of `src/client/remote-service.ts`. */
export default {
  tests: ["test/contract/client"],
  mutants: [
    ["a reply that broke off was perhaps not received", 'if (response.status === 200) sent = "yes";', ""],
    ["any failure to connect may have sent it", 'isNotConnected(error) ? "no" : sent', "sent"],
    ["whatever has a status is a failure of sidesocket", 'if (typeof code !== "string")', "if (false)"],
  ],
};
