/** Mutants of `src/local-socket.ts`. */
export default {
  tests: ["test/contract/local-socket"],
  mutants: [
    ["a host is a part of the path", String.raw`(?:\/\/(?=\/))?`, String.raw`(?:\/)?`],
    ["a colon ends the path of the request", String.raw`(?<path>\/[^?#]*)`, String.raw`(?<path>\/[^?#:]*)`],
    ["the query is left out", "${path}${query}", "${path}"],
  ],
};
