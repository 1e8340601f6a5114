/** Mutants of `src/net/socket-file.ts`. */
export default {
  tests: ["test/runtime/listener"],
  mutants: [
    ["a living process loses its socket", 'code !== "ECONNREFUSED" && code !== "ENOENT"', "false"],
    [
      "the socket of a dead process is in the way",
      'code !== "ECONNREFUSED" && code !== "ENOENT"',
      "true",
      { tests: ["test/contract/listeners"] },
    ],
    ["any file is replaced", 'if (!stats.isSocket()) throw faultOf(path, "EEXIST");', ""],
    ["the mode is left to the umask", "chmodSync(path, mode);", ""],
    ["a missing folder is reported as a permission", 'if (code === "ENOENT") throw faultOf(path, code);', ""],
  ],
};
