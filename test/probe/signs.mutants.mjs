/** Mutants of `src/probe/signs.ts`. */
export default {
  tests: ["test/probe/guess"],
  mutants: [
    ["a host is the end of a name", "hostname.endsWith(`.${host}`)", "hostname.endsWith(host)"],
    ["a host that cannot be reached is known", "look.open && (hostname === host", "(hostname === host"],
    ["any version is that of Z-Wave", "(driverVersion !== undefined || homeId !== undefined)", "true"],
    ["an agreed subprotocol need not be the offered one", "look.offered === name && look.subprotocol === name", "true"],
  ],
};
