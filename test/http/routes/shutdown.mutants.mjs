/** Mutants of `src/http/routes/shutdown.ts`. */
export default {
  tests: ["test/contract/exit"],
  mutants: [
    [
      "the guard knows only the path of an app of its own",
      "if (refusal) throw refusal;",
      "void refusal;",
      { tests: ["test/contract/library"] },
    ],
    [
      "?force is ignored",
      'const force = readForce(c.req.query("force"));',
      'readForce(c.req.query("force"));\n    const force = false;',
    ],
  ],
};
