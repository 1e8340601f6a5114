import process from "node:process";
import { connect } from "sidesocket/client";

const sidecar = connect(process.argv[2], { repeat: 3 });
console.log(await sidecar.rpc("echo", ["hello"], { timeoutMs: 5_000 }));

const clock = { request: { jsonrpc: "2.0", method: "subscribe" }, match: { "/method": "tick" } };
for await (const message of sidecar.subscribe(clock)) {
  console.log(JSON.parse(message.data).method);
  break;
}
console.log((await sidecar.exit()).exit_code);
