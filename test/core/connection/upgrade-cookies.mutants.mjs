/** Mutants of `src/core/connection/upgrade-cookies.ts`. */
export default {
  tests: ["test/core/connection/redirect.test"],
  mutants: [
    ["cookies go to every host", "key.startsWith(`${host} `) && isBelow(pathname, path)", "isBelow(pathname, path)"],
    ["a path is the beginning of a text", 'path.endsWith("/") ? path : `${path}/`', "path"],
    ["a secure cookie leaves TLS", '(!isSecure || protocol === "wss:")', "true"],
    ["a cookie never ends", "isMeant && until > at &&", "isMeant &&"],
    ["without a path they go everywhere", "folderOf(pathname);", '"/";'],
    ["the first attribute counts", "attributes.toReversed()", "attributes"],
    ["there may be any number", "this.#cookies.size <= COUNT_MAX", "true"],
    ["any text is a cookie", " || !PAIR.test(pair)", ""],
  ],
};
