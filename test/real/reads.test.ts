/** Fifteen hundred reads at once through viem and ethers with their defaults, which is more than `limits.in_flight`. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Child } from "../support/child.ts";
import { startProduct } from "../support/product.ts";
import { denoPath, nodePath, root, runtime } from "../support/root.ts";
import type { Cleanup } from "../support/until.ts";
import { loadEthers, loadViem } from "./clients.ts";

const READS = 1_500;

/** The balance of each account is the account's own number. */
const account = (number: number): string => `0x${(number + 1).toString(16).padStart(40, "0")}`;
const balances = Array.from({ length: READS }, (_, number) => BigInt(number + 1));

async function startRpc(t: Cleanup): Promise<string> {
  const [command, ...args] =
    runtime === "node"
      ? [nodePath(), join(root, "build", "test", "real", "balances.js")]
      : [denoPath(), "run", "--quiet", "--allow-all", "--no-check", join(root, "test", "real", "balances.ts")];
  const child = await Child.start({ command: command as string, args, t });
  const url = await child.until(() => /^(ws:.*)\n/.exec(child.stdout)?.[1], { within: 20_000, what: "its address" });
  const product = await startProduct({ upstream: { url }, t });
  await product.ready();
  return `${product.url}/rpc`;
}

test("viem reads fifteen hundred balances at once", async (t) => {
  const { createPublicClient, http, foundry } = await loadViem();
  const client = createPublicClient({ chain: foundry, transport: http(await startRpc(t)) });
  const read = await Promise.all(balances.map((_, number) => client.getBalance({ address: account(number) })));
  assert.deepEqual(read, balances);
});

test("ethers reads fifteen hundred balances at once, in its batches", async (t) => {
  const { JsonRpcProvider } = await loadEthers();
  const provider = new JsonRpcProvider(await startRpc(t));
  t.after(async () => provider.destroy());
  const read = await Promise.all(balances.map((_, number) => provider.getBalance(account(number))));
  assert.deepEqual(read, balances);
});
