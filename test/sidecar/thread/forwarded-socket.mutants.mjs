/** Mutants of `src/sidecar/thread/forwarded-socket.ts`. */
export default {
  tests: ["test/contract/bytes"],
  mutants: [["nobody hears that a frame was taken", "present()?.write(frame, onTaken)", "present()?.write(frame)"]],
};
