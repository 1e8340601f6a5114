/** Mutants of `src/protocols/text-ids.ts`. */
export default {
  tests: ["test/protocols/send-ids", "test/protocols/text-ids"],
  mutants: [
    ["a template fills what expects no reply", '!outward && route === "request"', "!outward"],
    ["what stands between is not looked at", "return hasBetween && ", "return "],
    ["only the id is ever taken out", 'inward.find(text, "id", "cut")', 'inward.find(text, "id")'],
    ["the end of the template is not looked at", " || !text.endsWith(after)", ""],
  ],
};
