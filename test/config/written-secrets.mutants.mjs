/** Mutants of `src/config/written-secrets.ts`. */
export default {
  tests: ["test/config/written-secrets", "test/config/load", "test/config/placeholder-places"],
  mutants: [
    ["options that log in are messages", 'options.includes(String(option))) return "all"', 'false) return "all"'],
    ["a place that nobody knows is shown", '?? "all";', '?? "none";'],
    ["users and passwords are shown", 'login.split(":").map(literals).join(":")', "login"],
    ["keys in a path are shown", "at > 0 && isKeyLike(word) ? literals(word) : word", "word"],
    ["a parameter without a value is shown", 'value.join("") !== ""', "true"],
    ["a parameter's literal name beside a placeholder is shown", "!name.includes(MARK)", "true"],
    ["literals beside placeholders are shown", 'secret === "" ? literal :', 'secret !== "" ? literal :'],
    ["the scheme of a credential is hidden", "= SCHEME.exec(flat) ?? []", "= []"],
    ["a login ends at the first @", "(?:(?<login>[^/\\\\?#]*)@)?", "(?:(?<login>[^/\\\\?#@]*)@)?"],
    ["a proxy's password ends at a slash", "(?:(?<login>.*)@)?", "(?:(?<login>[^/]*)@)?"],
    ["any subprotocol is shown", "isOfPreset(flat) ? flat", "true ? flat"],
    ["the names of two secrets are one", "taken.includes(name) || variables.includes(name)", "false"],
    ["the type of a login is hidden", "isNaming(name) && !hasKey(flat)", "false"],
    ["a key under a harmless name is shown", "isNaming(name) && !hasKey(flat)", "isNaming(name)"],
    ["numbers are shown", "if (!isSecretNumber(value, path, extent)) return value;", "return value;"],
    ["short numbers are hidden", "String(value).length >= SECRET_MIN", "true"],
    ["a group of an answer is hidden", 'path[3] === "answers" ? GROUP_NAMES : NAMES', "NAMES"],
  ],
};
