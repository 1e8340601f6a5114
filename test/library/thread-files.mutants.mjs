/** Mutants of `src/library/thread-files.ts`. */
export default {
  tests: ["test/library/thread-files"],
  mutants: [
    ["a file that is not there is taken", "url && hasFile(url)", 'url && typeof hasFile(url) === "boolean"'],
    ["the program's word is ignored", "given === undefined ? urlOf(beside) : asUrl(given)", "urlOf(beside)"],
    ["the URL of a server is taken for a path", "(?:file|https?):", "file:"],
    ["a path is taken for a URL", ": pathToFileURL(given);", ": new URL(given, import.meta.url);"],
  ],
};
