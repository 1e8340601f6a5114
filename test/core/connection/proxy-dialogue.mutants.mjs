/** Mutants of `src/core/connection/proxy-dialogue.ts`. */
export default {
  tests: ["test/core/connection/proxy-dialogue"],
  mutants: [
    ["bytes behind the agreement are ignored", "text.length === end + 4 ?", "text.length >= end + 4 ?"],
    ["407 is retried", 'acceptedBy(head)})`, "refuse")', "acceptedBy(head)})`)"],
    ["a proxy that cannot reach the upstream is one that refuses", "status >= 500", "status >= 600"],
    ["a method that was not offered is taken", "if (!methods.includes(method)) return NO_SOCKS;", ""],
    ["a refused SOCKS login is taken", "if (bytes[1] !== 0)", "if (bytes[1] === 256)"],
  ],
};
