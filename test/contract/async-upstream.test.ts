/** One list of behaviours, of the sidecar in this program and of the client of one behind HTTP. */
import { after, before, describe, test } from "node:test";
import { connect } from "../../src/client.ts";
import { type AsyncSidecar, Sidecar } from "../../src/index.ts";
import { type Product, startProduct } from "../support/product.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { acknowledges, answering, behaviours, startSubscribable } from "./async-behaviours.ts";

const reconnect = { from: "10ms", to: "50ms" } as const;

describe("a sidecar of this program", () => {
  let upstream: Upstream;
  let caller: AsyncSidecar;
  before(async () => {
    upstream = await startSubscribable();
    caller = await Sidecar.start({ url: upstream.url, reconnect });
  });
  after(async () => {
    await caller?.close();
    await upstream?.stop();
  });

  for (const [name, behaves] of Object.entries(behaviours)) test(name, () => behaves({ caller, upstream }));
});

describe("the client of a service", () => {
  let upstream: Upstream;
  let product: Product;
  let caller: AsyncSidecar;
  before(async () => {
    upstream = await startSubscribable();
    product = await startProduct({ config: { upstreams: { main: { url: upstream.url, reconnect } } } });
    await product.ready();
    caller = connect(product.url, { upstream: "main" });
  });
  after(async () => {
    await caller?.close();
    await product?.kill();
    await upstream?.stop();
  });

  for (const [name, behaves] of Object.entries(behaviours)) test(name, () => behaves({ caller, upstream }));
});

describe("an answer that waits for its message is sent once a reader acknowledges that", () => {
  test("in this program", async (t) => {
    const upstream = await startUpstream({ t, onMessage: () => {} });
    await using caller = await Sidecar.start({ url: upstream.url, protocol: answering });
    await acknowledges({ caller, upstream });
  });

  test("behind HTTP", async (t) => {
    const upstream = await startUpstream({ t, onMessage: () => {} });
    const product = await startProduct({
      config: { upstreams: { default: { url: upstream.url, protocol: answering } } },
      t,
    });
    await using caller = connect(product.url);
    await acknowledges({ caller, upstream });
  });
});
