/** The package for a `require` that cannot load ES modules: a sentence instead of ERR_REQUIRE_ESM. */

throw new Error(
  'sidesocket is an ES module, which this `require` cannot load: use `await import("sidesocket")`, ' +
    "or Node 20.19, 22.12 or later",
);
