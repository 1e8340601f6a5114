/** Mutants of `src/protocols/json-add.ts`. */
export default {
  tests: ["test/protocols/json-add", "test/contract/never-works"],
  deno: true,
  mutants: [
    ["an element is replaced", "{ start, end: start }, `${value},`", "place.value, value"],
    ["an array is extended anywhere", 'token !== "-" && token !== String(length)', 'token === ""'],
    ["a missing array is made as an object", 'token === "0" || token === "-"', 'token === ""'],
    ["an element before another may be added", "Number(index) < Number(element)", "Number(index) < 0"],
    ["a place around another may be added to", "shared < 0 || shared >= of.length", "shared >= of.length"],
  ],
};
