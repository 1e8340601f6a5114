/** Mutants of `src/sidecar/host/frame-cutter.ts`. */
export default {
  tests: ["test/sidecar/host/frame-cutter"],
  deno: true,
  mutants: [
    ["the rest of a body is not sent", "if (filled > 0) yield", "if (filled > size) yield"],
    ["a frame is sent before it is whole", "if (filled < size) continue;", "if (filled < 1) continue;"],
    ["the memory of a frame is never given back", 'budget.give("bodies", size);', "void budget;"],
  ],
};
