/** Mutants of `src/client/message-stream.ts`. */
export default {
  tests: ["test/contract/client"],
  mutants: [
    ["a cut stream begins again", "        place = item.cursor;\n", ""],
    ["the place of latest is taken anew", 'if (place === "latest") place = await newest(service, path, signal);', ""],
    ["numbers are rounded", "data: line.slice(start, -1)", "data: JSON.stringify(data)"],
    ["it is resumed without end", "performance.now() - cutAt >= resumeMs", "false"],
  ],
};
