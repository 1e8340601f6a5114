/** Mutants of `src/http/call/paced-reading.ts`. */
export default {
  tests: ["test/http/call/paced-reading"],
  mutants: [
    ["all bodies are read on at once", "waiting.splice(0, TURN_BYTES / READ_BYTES)", "waiting.splice(0)"],
    ["tiny chunks cost nothing", "bytes + CHUNK_BYTES", "bytes"],
    ["only one turn reads on", "if (waiting.length > 0) schedule();", ""],
  ],
};
