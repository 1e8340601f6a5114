/** One list of behaviours, of the sidecar in this program and of the client of one behind HTTP. */
import { after, before, describe, test } from "node:test";
import { connect } from "../../src/client.ts";
import { type AsyncSidecar, Sidecar } from "../../src/index.ts";
import { type Product, startProduct } from "../support/product.ts";
import type { Upstream } from "../support/upstream.ts";
import { behaviours, startSubscribable } from "./async-behaviours.ts";

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
