import process from "node:process";
import { Sidecar } from "sidesocket";

const sidecar = Sidecar.startSync({ url: process.argv[2] });
console.log(sidecar.rpcSync("echo", ["hello"], { timeoutMs: 5_000 }));

const clock = { request: { jsonrpc: "2.0", method: "subscribe" }, match: { "/method": "tick" } };
for (const message of sidecar.subscribeSync(clock, { idleMs: 5_000 })) {
  console.log(JSON.parse(message.data).method);
  break;
}
console.log(sidecar.exitSync().exit_code);
