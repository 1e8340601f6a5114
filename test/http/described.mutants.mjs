/** Mutants of `src/http/described.ts`. */
export default {
  tests: ["test/contract/openapi"],
  mutants: [
    ["a reply may not be text", '  "text/plain": text,\n  "application/octet-stream": bytes,\n};', "};"],
    [
      "a replay is not described",
      '  "Idempotency-Replayed",\n  "Sidesocket-Upstream",\n]',
      '  "Sidesocket-Upstream",\n]',
    ],
    ["a mismatch is not described", '  "mismatch",\n', ""],
  ],
};
