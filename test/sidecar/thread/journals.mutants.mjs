/** Mutants of `src/sidecar/thread/journals.ts`. */
export default {
  tests: ["test/sidecar/host/journal-reader"],
  deno: true,
  mutants: [
    ["a waiting filter reports no progress", "next - after.seq > kept / 2", "next - after.seq > kept * 1e9"],
    ["a waiting filter reports every message", "next - after.seq > kept / 2", "next - after.seq > 0 * kept"],
  ],
};
