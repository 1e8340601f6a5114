/** Mutants of `src/commands/service-access.ts`. */
export default {
  tests: ["test/contract/listeners"],
  mutants: [
    ["a socket with TLS is asked in plain HTTP", "const tls = listen.tls !== undefined;", "const tls = false;"],
    ["a socket that is named is never asked by HTTPS", "tls = options.ca !== undefined", "tls = false"],
  ],
};
