/** Mutants of `src/core/connection/reconnect-address.ts`. */
export default {
  tests: ["test/core/connection/reconnect-address"],
  deno: true,
  mutants: [
    ["any host may be named", "hosts.some((host) => isAllowed(named, host))", "hosts.length > 0"],
    ["a star stands for the end of a label", "host.endsWith(wanted.slice(1))", "host.endsWith(wanted.slice(2))"],
    ["any port of a listed host may be named", "`${allowed}:${standard}`", "`${allowed}:${port || standard}`"],
    ["TLS may be left", 'configured.protocol === "ws:" &&', ""],
    ["credentials in an address are sent", 'named.username !== "" || named.password !== ""', "false"],
  ],
};
