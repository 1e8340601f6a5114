// program.cjs
// A program in CommonJS that blocks for its replies: no promise, and no event loop while it waits.
const process = require("node:process");
const { Sidecar, SidesocketError } = require("sidesocket");

const sidecar = Sidecar.startSync({ url: process.argv[2] ?? "ws://127.0.0.1:18545" });
try {
  console.log(sidecar.rpcSync("echo", ["hello"], { timeoutMs: 5_000 }).join(" "));
  sidecar.rpcSync("sing");
} catch (error) {
  if (!(error instanceof SidesocketError)) throw error;
  console.log(`${error.code}, sent: ${error.sent}, ${error.rpc?.message ?? error.message}`);
} finally {
  console.log(`exit code ${sidecar.exitSync().exit_code}`);
}
