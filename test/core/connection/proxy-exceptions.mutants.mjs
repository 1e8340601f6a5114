/** Mutants of `src/core/connection/proxy-exceptions.ts`. */
export default {
  tests: ["test/core/connection/proxy-exceptions"],
  mutants: [
    ["the end of another name is taken for its domain", "host.endsWith(`.${domain}`)", "host.endsWith(domain)"],
    ["the port of a pattern is ignored", "wanted !== undefined && wanted !== port", "wanted === port + 1"],
    ["a network has any length", " || bits > 32", ""],
  ],
};
