/**
 * An upstream in its own process that replies to `eth_getBalance` with the account's own number, after a while. Thousands
 * of requests at once keep a client's process too busy to be an upstream as well.
 */
import process from "node:process";
import { startUpstream } from "../support/upstream.ts";

/** The time that a reply takes, in milliseconds. */
const TAKES_MS = 15;
const CHAIN_ID = "0x7a69";

const upstream = await startUpstream({
  onMessage: (message, connection) => {
    const { id, method, params } = JSON.parse(String(message)) as { id: number; method: string; params: string[] };
    const result = method === "eth_chainId" ? CHAIN_ID : `0x${BigInt(params[0] ?? 0).toString(16)}`;
    connection.later(TAKES_MS, () => connection.send({ jsonrpc: "2.0", id, result }));
  },
});
process.stdout.write(`${upstream.url}\n`);

// The parent may be killed, and must not leave this process running.
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.exit();
}, 500);
