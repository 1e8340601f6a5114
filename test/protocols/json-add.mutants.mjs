/** Mutants of `src/protocols/json-add.ts`. */
export default {
  tests: ["test/protocols/json-add"],
  deno: true,
  mutants: [
    ["an element is replaced", "${value},${text.slice(start)}", "${value}${text.slice(place.value.end)}"],
    ["an array is extended anywhere", 'token !== "-" && token !== String(length)', 'token === ""'],
    ["a missing array is made as an object", 'token === "0" || token === "-"', 'token === ""'],
  ],
};
