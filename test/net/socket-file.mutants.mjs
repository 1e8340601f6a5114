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
    ["another user's socket has the cure of a folder", 'code === "EACCES" || code === "EPERM"', "code === undefined"],
    ["any file is replaced", 'if (stats !== undefined && !stats.isSocket()) throw faultOf(path, "EEXIST");', ""],
    ["the mode is left to the umask", "chmodSync(socket, mode);", ""],
    ["others enter the folder where a socket is made", "{ mode: 0o700 }", "{ mode: 0o755 }"],
    [
      "two starts make a socket at once",
      'if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;',
      "return;",
    ],
    ["a folder that was left behind stays", "now - since > LEFT_AFTER_MS", "now < 0"],
    ["a folder is cleared through a link", "if (!stats.isDirectory())", "if (false)"],
    ["the file of another process is removed", "identityOf(lstatSync(path)) === own", "own !== undefined"],
  ],
};
