/** Mutants of `src/config/unknown-keys.ts`. */
export default {
  tests: ["test/config/wrong"],
  deno: true,
  mutants: [
    ["any preset may be meant", "const own = fitting.length > 0 ? fitting : all;", "const own = all;"],
    ["other presets know nothing", "Object.hasOwn(definitionOf(schema).shape ?? {}, key)", "key === undefined"],
    ["a key has no place elsewhere", "if (places.length > 0)", "if (places.length < 0)"],
    ["any place is near", "sharedWith(from, path) === nearest", "path.length > 0"],
    ["any depth will do", "path.length === depth", "path.length >= depth"],
    ["a mapping is missed that a wrong key was meant for", 'consequences.add(parent.join("\\n"));', ""],
    ["the presets of a place are not said", "key === undefined || tags.includes(own?.value)", "tags.length > 0"],
    ["a key of another section is said to belong there", "isNear ? ", "true ? "],
    ["a key of another part of an upstream belongs there", " && sharedWith(from, path) >= from.length - 1", ""],
    ["checks of certificates are looked for elsewhere", "UNCHECKED.test(key)", "key === undefined"],
    ["the checks of callers are meant", 'parent[0] === "upstreams" && (', "("],
    ["each key is looked for", "sought++ >= SOUGHT", "sought++ < 0"],
  ],
};
