/** Mutants of `src/sidecar/thread/refused-upgrade.ts`. */
export default {
  tests: ["test/sidecar/thread/refused-upgrade"],
  deno: true,
  mutants: [
    ["an endless body is read without end", "if (length >= SEARCHED_MAX) settle();", ""],
    ["a body that stalls holds up the attempt", "setTimeout(settle, BODY_WITHIN_MS)", "setTimeout(settle, 60_000)"],
    ["the query of a location is shown", "withoutQuery(new URL(location, url))", "new URL(location, url).href"],
    ["secrets in a body are shown", "excerptOf(textIn(body), secrets,", "excerptOf(textIn(body), [],"],
  ],
};
