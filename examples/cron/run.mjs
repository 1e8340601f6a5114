/** The script of a crontab: its upstream is down, comes up, and once does not reply; a response of the service is cut. */
import { beside, example, run, start, startBytes, startService, startUpstream } from "../parts.mjs";

const script = ["sh", beside(import.meta.url, "price.sh")];
let isUp = false;

function serve(socket) {
  socket.on("message", (text) => {
    const { id, params } = JSON.parse(text);
    if (params[0] === "BTC") socket.send(JSON.stringify({ jsonrpc: "2.0", id, result: 90907.31 }));
  });
}

await example(async () => {
  const upstream = await startUpstream({ serve, refuse: () => (isUp ? undefined : 503) });
  const env = { SIDESOCKET_URL: await startService(["--upstream", upstream.url]) };

  console.log("The upstream is down. Nothing is sent, so the script tries again:");
  const price = start([...script, "BTC"], { ...env, ATTEMPTS: "30" });
  await price.said(/attempt=1 code=upstream_down sent=no/);
  isUp = true;
  console.log(`exit code ${await price.ended}`);

  console.log("No reply comes. The request may have been sent, so the script does not try again:");
  await run([...script, "SLOW"], { ...env, TIMEOUT: "500ms" }, { code: 4 });
  console.log("exit code 4");

  console.log("There is no service at all:");
  await run([...script, "BTC"], { SIDESOCKET_URL: "http://127.0.0.1:9", ATTEMPTS: "1" }, { code: 3 });
  console.log("exit code 3");

  console.log("The response is cut in the middle. What came of the price is not printed:");
  const cutting = await startBytes((socket) => {
    socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n909"));
  });
  await run([...script, "BTC"], { SIDESOCKET_URL: cutting }, { code: 5 });
  console.log("exit code 5");
});
