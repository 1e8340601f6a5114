/** A program in TypeScript: options, replies, messages and errors have types. */
import process from "node:process";
import { type AsyncSidecar, Sidecar, type SidecarOptions, SidesocketError } from "sidesocket";

interface Tick {
  readonly method: "tick";
  readonly params: { readonly time: string };
}

/** Takes a sidecar of this process as well as that of a service, by `connect` of `sidesocket/client`. */
async function nextTick(sidecar: AsyncSidecar): Promise<Date> {
  const order = { request: { jsonrpc: "2.0", method: "subscribe" }, match: { "/method": "tick" } };
  for await (const message of sidecar.subscribe(order)) {
    if ("gap" in message) continue;
    const { params } = JSON.parse(message.data as string) as Tick;
    return new Date(params.time);
  }
  throw new Error("the sidecar has exited");
}

const [url = "ws://127.0.0.1:18545"] = process.argv.slice(2);
const options: SidecarOptions = { url, limits: { in_flight: 10 }, keepalive: { ping: "10s" } };
const sidecar = await Sidecar.start(options);
try {
  const words: string[] = await sidecar.rpc<string[]>("echo", ["hello"], { timeoutMs: 5_000 });
  console.log(words.join(" "), Number.isNaN((await nextTick(sidecar)).getTime()) ? "and no time" : "and the time");
  await sidecar.rpc("sing");
} catch (error) {
  if (!(error instanceof SidesocketError)) throw error;
  console.log(`${error.code}, sent: ${error.sent}, ${error.rpc?.message ?? error.message}`);
} finally {
  const { exit_code } = await sidecar.exit();
  console.log(`exit code ${exit_code}`);
}
