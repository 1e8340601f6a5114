/** Mutants of `src/runtime/node.ts`. */
export default {
  tests: ["test/faults/rows-51", "test/runtime/thread.test.ts"],
  mutants: [
    ["a thread's last messages are lost", "last: takeLast(thread.port)", "last: []"],
    ["a full standard error blocks", "constants.O_WRONLY | constants.O_NONBLOCK", "constants.O_WRONLY"],
    [
      "pid 1 kills itself in vain",
      'if (process.pid !== 1) process.kill(process.pid, "SIGKILL");\n    process.abort();',
      'for (;;) process.kill(process.pid, "SIGKILL");',
    ],
  ],
};
