/** Mutants of `src/core/connection/redirect.ts`. */
export default {
  tests: ["test/core/connection/redirect.test"],
  mutants: [
    ["any number of redirects is followed", "followed >= REDIRECTS_MAX", "false"],
    ["any status with a location is a redirect", "!REDIRECTS.has(drop.status) || ", ""],
    ["an address of HTTP is no target", '.replace(/^http/, "ws")', ""],
    ["every host is allowed", "redirects, { url: from", "[new URL(drop.location, from).host], { url: from"],
  ],
};
