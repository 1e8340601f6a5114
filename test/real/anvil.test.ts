/** anvil, an Ethereum node, behind ethers, viem and curl; anvil's own HTTP port is the oracle. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { WebSocket } from "ws";
import { Client } from "../faults/client.ts";
import { inPlace } from "../faults/replies.ts";
import { startFaultUpstream } from "../faults/upstream.ts";
import { run } from "../support/child.ts";
import { type Product, startProduct } from "../support/product.ts";
import { findOnPath } from "../support/root.ts";
import { type Cleanup, until } from "../support/until.ts";
import { ACCOUNTS, type Anvil, CHAIN_ID, PRIVATE_KEYS, startAnvil } from "./anvil.ts";
import { type EthersProvider, loadEthers, loadViem, type ViemClient, type ViemError } from "./clients.ts";

const TEN_THOUSAND_ETHER = 10_000n * 10n ** 18n;
const ONE_ETHER = 10n ** 18n;

/** Creates an ethers provider, which must be destroyed: it polls as long as it lives. */
async function ethersProvider(product: Product, t: Cleanup): Promise<EthersProvider> {
  const { JsonRpcProvider } = await loadEthers();
  const options = { staticNetwork: true, pollingInterval: 100 };
  const provider = new JsonRpcProvider(`${product.url}/rpc`, CHAIN_ID, options);
  t.after(async () => provider.destroy());
  return provider;
}

describe("in front of anvil, a block each second", () => {
  let anvil: Anvil;
  let product: Product;
  before(async () => {
    anvil = await startAnvil({ blockTime: 1 });
    product = await startProduct({ upstream: anvil });
    await product.ready();
  });
  after(async () => {
    await product?.kill();
    await anvil?.stop();
  });

  test("ethers reads several accounts in one batch", async (t) => {
    const provider = await ethersProvider(product, t);
    const payloads: unknown[] = [];
    provider.on("debug", ({ action, payload }) => {
      if (action === "sendRpcPayload") payloads.push(payload);
    });
    const [block, ...balances] = await Promise.all([
      provider.getBlockNumber(),
      ...ACCOUNTS.slice(1).map((account) => provider.getBalance(account)),
    ]);
    assert.equal(typeof block, "number");
    assert.deepEqual(balances, [TEN_THOUSAND_ETHER, TEN_THOUSAND_ETHER, TEN_THOUSAND_ETHER]);
    const batch = payloads.find((payload) => Array.isArray(payload));
    assert.equal((batch as unknown[] | undefined)?.length, 4, "one HTTP request for all four");
  });

  test("ethers sends a transaction and sees it mined", async (t) => {
    const { Wallet } = await loadEthers();
    const provider = await ethersProvider(product, t);
    const to = "0x00000000000000000000000000000000000e7e25";
    const sent = await new Wallet(PRIVATE_KEYS[0], provider).sendTransaction({ to, value: ONE_ETHER });
    const receipt = await sent.wait(1, 15_000);
    assert.equal(receipt?.status, 1);
    assert.equal(await provider.getBalance(to), ONE_ETHER);
  });

  test("viem reads in batches, sends a transaction and sees it mined", async () => {
    const { createPublicClient, createWalletClient, http, account, foundry } = await loadViem();
    const transport = http(`${product.url}/rpc`, { batch: true });
    const client = createPublicClient({ chain: foundry, transport, pollingInterval: 100 });
    const [chain, block, balance] = await Promise.all([
      client.getChainId(),
      client.getBlock({ blockNumber: 0n }),
      client.getBalance({ address: ACCOUNTS[3] }),
    ]);
    assert.equal(chain, CHAIN_ID);
    assert.equal(block.number, 0n);
    assert.equal(balance, TEN_THOUSAND_ETHER);
    const wallet = createWalletClient({ chain: foundry, transport, account: account(PRIVATE_KEYS[1]) });
    const to = "0x0000000000000000000000000000000000071e33";
    const hash = await wallet.sendTransaction({ to, value: ONE_ETHER });
    const receipt = await client.waitForTransactionReceipt({ hash, timeout: 15_000 });
    assert.equal(receipt.status, "success");
    assert.equal(await client.getBalance({ address: to }), ONE_ETHER);
  });

  test("block notifications from anvil are counted, and settle no request", async () => {
    const messageCount = async () => ((await product.state()).counters as { messages: number }).messages;
    const before = await messageCount();
    const subscribed = await product.rpc({ jsonrpc: "2.0", id: 1, method: "eth_subscribe", params: ["newHeads"] });
    const { result: subscription } = (await subscribed.json()) as { result: string };
    await until(async () => (await messageCount()) >= before + 2, { within: 10_000, what: "two blocks" });
    const ended = await product.rpc({ jsonrpc: "2.0", id: 2, method: "eth_unsubscribe", params: [subscription] });
    assert.deepEqual(await ended.json(), { jsonrpc: "2.0", id: 2, result: true });
  });

  test("a one-line curl gets the chain id", async () => {
    const body = '{"jsonrpc":"2.0","id":"from curl","method":"eth_chainId"}';
    const headers = ["-H", "Content-Type: application/json"];
    const args = ["-sS", "--max-time", "10", ...headers, "--data-binary", body, `${product.url}/rpc`];
    const curl = await run({ command: findOnPath("curl"), args });
    assert.equal(curl.code, 0, curl.stderr);
    assert.deepEqual(JSON.parse(curl.stdout), { jsonrpc: "2.0", id: "from curl", result: "0x7a69" });
  });

  test("stops cleanly although anvil answers no close frame", async (t) => {
    const own = await startProduct({ upstream: anvil, t });
    await own.ready();
    const { code, ms } = await own.stop();
    assert.equal(code, 0, own.stderr());
    assert.ok(ms < 1_000, `${ms} ms`);
    assert.equal(own.report().forced, false);
  });
});

describe("anvil is its own oracle", () => {
  let anvil: Anvil;
  let product: Product;
  let direct: Client;
  before(async () => {
    anvil = await startAnvil(); // no automatic block: nothing changes between two requests
    product = await startProduct({ upstream: anvil });
    await product.ready();
    direct = await Client.open(anvil.url);
  });
  after(async () => {
    direct?.socket.terminate();
    await product?.kill();
    await anvil?.stop();
  });

  /** Reads anvil's reply over a WebSocket of this test, without the product. */
  async function overWebSocket(body: string): Promise<string> {
    assert.equal(direct.socket.readyState, WebSocket.OPEN);
    const count = direct.texts.length;
    direct.socket.send(body);
    await direct.replies(count + 1);
    return direct.texts[count] ?? "";
  }

  const [first, second] = ACCOUNTS;
  const identity = "0x0000000000000000000000000000000000000004"; // the precompiled contract that returns its input
  const reads: readonly (readonly [method: string, params?: readonly unknown[]])[] = [
    ["eth_chainId"],
    ["eth_chainId", []],
    ["eth_blockNumber", []],
    ["eth_getBlockByNumber", ["0x0", true]],
    ["eth_getBlockByNumber", ["0x7fffffff", false]],
    ["eth_getBlockTransactionCountByNumber", ["0x0"]],
    ["eth_getBalance", [first, "latest"]],
    ["eth_getBalance", [second, "0x0"]],
    ["eth_gasPrice", []],
    ["eth_maxPriorityFeePerGas", []],
    ["eth_getCode", [first, "latest"]],
    ["eth_getStorageAt", [first, "0x0", "latest"]],
    ["eth_getTransactionCount", [first, "latest"]],
    ["eth_getTransactionByHash", [`0x${"0".repeat(64)}`]],
    ["eth_call", [{ to: identity, data: `0x${"1234".repeat(10_000)}` }, "latest"]],
    ["eth_estimateGas", [{ from: first, to: second, value: "0x1" }]],
    ["eth_feeHistory", ["0x1", "0x0", [25, 75]]],
    ["eth_getLogs", [{ fromBlock: "0x0", toBlock: "0x0" }]],
    ["eth_accounts", []],
    ["eth_syncing", []],
    ["net_version", []],
    ["web3_clientVersion", []],
    ["web3_sha3", ["0x68656c6c6f20776f726c64"]],
  ];
  const ids = ['"text"', "7", "0", "-1", "9007199254740993", '""', "null"];

  for (const [index, [method, params]] of reads.entries()) {
    test(`${method}(${(JSON.stringify(params) ?? "").slice(0, 60)}) gives anvil's reply, byte for byte`, async () => {
      const id = ids[index % ids.length];
      const rest = params === undefined ? "" : `,"params":${JSON.stringify(params)}`;
      const body = `{"jsonrpc":"2.0","id":${id},"method":"${method}"${rest}}`;
      const response = await product.rpc(body);
      const reply = await response.text();
      assert.equal(response.status, 200, reply);
      assert.equal(reply, await anvil.post(body));
      assert.equal(reply, await overWebSocket(body));
    });
  }

  for (const id of ids) {
    test(`the id ${id} is preserved`, async () => {
      const body = `{"jsonrpc":"2.0","id":${id},"method":"eth_chainId"}`;
      const response = await product.rpc(body);
      assert.equal(await response.text(), await anvil.post(body));
    });
  }

  // anvil words these errors differently over HTTP and WebSocket, so only its WebSocket is the oracle.
  for (const [name, method, params] of [
    ["an unknown method", "eth_nobodyKnows", []],
    ["wrong parameters", "eth_getBalance", ["no address"]],
  ] as const) {
    test(`the error for ${name} is the one that anvil gives over WebSocket`, async () => {
      const body = JSON.stringify({ jsonrpc: "2.0", id: "e", method, params });
      const response = await product.rpc(body);
      assert.equal(response.status, 200);
      assert.equal(await response.text(), await overWebSocket(body));
    });
  }

  test("a batch gets anvil's own reply to that batch, in the caller's order", async () => {
    const calls = reads.map(([method, params = []], id) => ({ jsonrpc: "2.0", id, method, params }));
    const response = await product.rpc(calls);
    assert.deepEqual(JSON.parse(await response.text()), JSON.parse(await anvil.post(JSON.stringify(calls))));
  });

  test("a notification gets no reply", async () => {
    const response = await product.rpc({ jsonrpc: "2.0", method: "eth_chainId" });
    assert.equal(response.status, 204);
    assert.equal(await response.text(), "");
  });

  test("viem recognises an error of anvil's", async () => {
    const client = await viemClient(product);
    await assert.rejects(client.request({ method: "eth_getBalance", params: ["no address"] }), (error: ViemError) => {
      const coded = error.walk((cause) => typeof (cause as { code?: unknown }).code === "number");
      assert.equal((coded as { code?: unknown } | null)?.code, -32602);
      return true;
    });
  });
});

async function viemClient(product: Product): Promise<ViemClient> {
  const { createPublicClient, http, foundry } = await loadViem();
  return createPublicClient({ chain: foundry, transport: http(`${product.url}/rpc`, { batch: true }) });
}

describe("clients that retry on their own", () => {
  // Both retry a request on 502, 503 and 504; a transaction must not go out twice because of it.
  test("viem does not send again what may have been sent", async (t) => {
    const upstream = await startFaultUpstream({ onMessage: inPlace((peer) => peer.reset()) }, { t });
    const product = await startProduct({ upstream, t });
    await product.ready();
    const client = await viemClient(product);
    await assert.rejects(client.request({ method: "eth_sendRawTransaction", params: ["0x00"] }));
    assert.equal(upstream.texts.length, 1);
  });

  test("ethers does not send again what may have been sent", async (t) => {
    const upstream = await startFaultUpstream({ onMessage: inPlace((peer) => peer.reset()) }, { t });
    const product = await startProduct({ upstream, t });
    await product.ready();
    const provider = await ethersProvider(product, t);
    await assert.rejects(provider.send("eth_sendRawTransaction", ["0x00"]));
    assert.equal(upstream.texts.length, 1);
  });
});
