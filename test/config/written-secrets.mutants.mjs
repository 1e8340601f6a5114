/** Mutants of `src/config/written-secrets.ts`. */
export default {
  tests: ["test/config/load", "test/config/placeholder-places"],
  mutants: [
    [
      "options that log in are shown",
      'if (path[0] === "protocol" && options.includes(String(path[1]))) return "all";',
      "",
    ],
    ["users and passwords are shown", 'login.split(":").map(literal).join(":")', "login"],
    ["keys in a path are shown", "at > 0 && isKeyLike(segment) ? placeholder() : segment", "segment"],
    ["keys beside placeholders are shown", "(isKeyLike(word) ? placeholder() : word)", "word"],
    ["the names of two secrets are one", "taken.includes(name) || variables.includes(name)", "false"],
    ["the type of a login is hidden", "!isNaming(nameAt(path))", "true"],
  ],
};
