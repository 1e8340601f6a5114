/** Mutants of `src/sidecar/batching.ts`. */
export default {
  tests: ["test/sidecar/batching"],
  deno: true,
  mutants: [
    [
      "a request's bytes are transferred away from the caller",
      "crossing(body), deadline",
      "this.#give(body), deadline",
    ],
    ["a view transfers its whole buffer", "(whole ? body : new Uint8Array(body)).buffer", "body.buffer"],
  ],
};
