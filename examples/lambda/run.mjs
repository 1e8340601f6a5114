/** The handler with a connection of its own, then with that of a service; each upstream cuts one call. */
import { beside, example, RUNTIME, run, startService, startUpstream } from "../parts.mjs";

const PRICES = { BTC: 90907.31, ETH: 3018.5 };
const serving = new Set();

function serve(socket) {
  socket.on("message", (text) => {
    const { id, params } = JSON.parse(text);
    const result = PRICES[params[0]];
    if (result === undefined) return socket.terminate();
    serving.add(socket);
    socket.send(JSON.stringify({ jsonrpc: "2.0", id, result }));
  });
}

await example(async () => {
  const upstream = await startUpstream({ serve });
  const invoke = [...RUNTIME, beside(import.meta.url, "invoke.mjs")];

  console.log("The function holds the connection:");
  await run(invoke, { UPSTREAM_URL: upstream.url });
  console.log(`connections that have replied: ${serving.size}`);

  console.log("A service holds it:");
  await run(invoke, { SIDESOCKET_URL: await startService(["--upstream", upstream.url]) });
});
