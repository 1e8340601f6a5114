/** Mutants of `src/http/routes/shutdown.ts`. */
export default {
  tests: ["test/contract/exit"],
  mutants: [
    [
      "?force is ignored",
      'const force = readForce(c.req.query("force"));',
      'readForce(c.req.query("force"));\n    const force = false;',
    ],
  ],
};
