/**
 * ethers 6, viem 2 and eventsource 4, with the few of their types that the tests use.
 *
 * They are declared here because the packages live in a separate folder, which neither tsc nor the compiled tests see.
 */
import { load } from "./packages.ts";

export interface Receipt {
  readonly status: unknown;
  readonly blockNumber: number | bigint;
}

export interface EthersProvider {
  getBlockNumber(): Promise<number>;
  getBalance(account: string): Promise<bigint>;
  getTransactionReceipt(hash: string): Promise<Receipt | null>;
  send(method: string, params: readonly unknown[]): Promise<unknown>;
  on(event: "debug", listener: (event: { readonly action: string; readonly payload?: unknown }) => void): unknown;
  destroy(): void;
}

export interface Ethers {
  readonly JsonRpcProvider: new (
    url: string,
    network?: number,
    options?: { readonly staticNetwork: boolean; readonly pollingInterval?: number },
  ) => EthersProvider;
  readonly Wallet: new (
    key: string,
    provider: EthersProvider,
  ) => {
    readonly address: string;
    sendTransaction(transaction: {
      readonly to: string;
      readonly value: bigint;
    }): Promise<{ readonly hash: string; wait(confirmations: number, timeoutMs: number): Promise<Receipt | null> }>;
  };
}

export interface ViemClient {
  getBlockNumber(): Promise<bigint>;
  getChainId(): Promise<number>;
  getBalance(of: { readonly address: string }): Promise<bigint>;
  getBlock(of: { readonly blockNumber: bigint }): Promise<{ readonly number: bigint; readonly hash: string }>;
  waitForTransactionReceipt(of: { readonly hash: string; readonly timeout: number }): Promise<Receipt>;
  request(call: { readonly method: string; readonly params?: readonly unknown[] }): Promise<unknown>;
}

export interface ViemWallet {
  sendTransaction(transaction: { readonly to: string; readonly value: bigint }): Promise<string>;
}

type Transport = (options: unknown) => unknown;

interface ClientOptions {
  readonly chain: unknown;
  readonly transport: Transport;
  readonly pollingInterval?: number;
  readonly account?: unknown;
}

export interface Viem {
  readonly http: (url: string, options?: { readonly batch: boolean; readonly onFetchRequest?: unknown }) => Transport;
  readonly createPublicClient: (options: ClientOptions) => ViemClient;
  readonly createWalletClient: (options: ClientOptions) => ViemWallet;
}

/** A viem error; `walk` looks through its causes. */
export interface ViemError extends Error {
  walk(matches: (cause: unknown) => boolean): unknown;
}

/** EventSource as browsers have it; the package adds the choice of `fetch`. */
export interface EventSourceLike {
  readonly readyState: number;
  addEventListener(
    type: string,
    listener: (event: { readonly data: string; readonly lastEventId: string }) => void,
  ): void;
  close(): void;
}

export async function loadEventSource() {
  type Fetch = (url: string | URL, init: RequestInit) => Promise<Response>;
  const { EventSource } = await load<{
    readonly EventSource: new (url: string, options: { readonly fetch: Fetch }) => EventSourceLike;
  }>("eventsource");
  return EventSource;
}

export function loadEthers(): Promise<Ethers> {
  return load<Ethers>("ethers");
}

export async function loadViem(): Promise<Viem & { account(key: string): unknown; readonly foundry: unknown }> {
  const viem = await load<Viem>("viem");
  const accounts = await load<{ readonly privateKeyToAccount: (key: string) => unknown }>("viem/accounts");
  const chains = await load<{ readonly foundry: unknown }>("viem/chains");
  return { ...viem, account: accounts.privateKeyToAccount, foundry: chains.foundry };
}
