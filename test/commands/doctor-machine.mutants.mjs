/** Mutants of `src/commands/doctor-machine.ts`. */
export default {
  tests: ["test/contract/doctor"],
  mutants: [
    [
      "the proxy is shown with its password",
      '${set.join(", ")} is set',
      '${set.map((name) => env[name]).join(", ")} is set',
    ],
    ["a file that everybody reads is in order", "if (!(await isWorldReadable(path)))", "if (true)"],
    ["a taken port is free", 'server.once("error", reject);', 'server.once("error", () => resolve());'],
  ],
};
