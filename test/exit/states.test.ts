/** SIGTERM and /shutdown in every phase of the service: code 0, the steps in order, no socket left. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { never } from "../faults/replies.ts";
import { type Behaviour, type FaultUpstream, startFaultUpstream } from "../faults/upstream.ts";
import { type Config, type Product, startProduct } from "../support/product.ts";
import { type Cleanup, until } from "../support/until.ts";
import { silentDns, startDeafPort } from "./deaf.ts";
import { ALL_DONE, outcomes, stepOf, stopBy } from "./stopping.ts";

/** In these phases nothing is awaited except the peer, and that at most for the close bound. */
const AT_ONCE_MS = 1_000;
const shutdown = { close: "300ms" };

interface Situation {
  readonly product: Product;
  /** The upstream, in phases with one that sees what becomes of its connections. */
  readonly upstream?: FaultUpstream;
}

interface State {
  readonly reach: (t: Cleanup) => Promise<Situation | { readonly skip: string }>;
  /** The expected facts of the close step. */
  readonly close: { readonly code: number | null; readonly by: "us" | "peer" | null };
}

const nothingOpen = { code: null, by: null } as const;
const closedByUs = { code: 1001, by: "us" } as const;

/** Starts the product in a phase, in front of a fault upstream. */
function faulty(phase: string, behaviour: Behaviour, more: Config = {}, scheme = "ws"): State["reach"] {
  return async (t) => {
    const upstream = await startFaultUpstream(behaviour, { t });
    const url = upstream.url.replace("ws:", `${scheme}:`);
    const product = await inPhase(phase, { upstreams: { default: { url, ...more } } }, t);
    return { product, upstream };
  };
}

async function inPhase(phase: string, config: Config, t: Cleanup, wrapper: readonly string[] = []): Promise<Product> {
  const product = await startProduct({ config: { shutdown, ...config }, wrapper, t });
  await until(async () => (await product.state()).phase === phase, { what: () => `phase ${phase}` });
  return product;
}

const states: ReadonlyMap<string, State> = new Map<string, State>([
  [
    "connecting, and DNS is silent",
    {
      reach: async (t) => {
        const dns = await silentDns(t);
        if ("skip" in dns) return dns;
        const config = { upstreams: { default: { url: "ws://silent.example/" } } };
        return { product: await inPhase("connecting", config, t, dns.wrapper) };
      },
      close: nothingOpen,
    },
  ],
  [
    "connecting, and no SYN is answered",
    {
      reach: async (t) => {
        const config = { upstreams: { default: { url: `ws://127.0.0.1:${await startDeafPort(t)}/` } } };
        return { product: await inPhase("connecting", config, t) };
      },
      close: nothingOpen,
    },
  ],
  ["connecting, and TLS is silent", { reach: faulty("connecting", {}, {}, "wss"), close: nothingOpen }],
  [
    "connecting, and the handshake is silent",
    { reach: faulty("connecting", { handshake: { do: "silent" } }), close: nothingOpen },
  ],
  [
    "connecting, and the handshake drips",
    { reach: faulty("connecting", { handshake: { do: "drip", everyMs: 20, forever: true } }), close: nothingOpen },
  ],
  [
    "greeting",
    {
      reach: faulty("greeting", {}, { greeting: [{ expect: { match: { "/type": "never" }, within: "20s" } }] }),
      close: closedByUs,
    },
  ],
  ["ready and idle", { reach: faulty("ready", {}), close: closedByUs }],
  [
    "waiting between attempts",
    {
      reach: faulty("waiting", { handshake: { do: "end" } }, { reconnect: { from: "20s", to: "20s" } }),
      close: nothingOpen,
    },
  ],
  ["refused", { reach: faulty("refused", { handshake: { do: "refuse", status: 403 } }), close: nothingOpen }],
  [
    "being closed by the peer, which leaves TCP open",
    {
      reach: async (t) => {
        const behaviour: Behaviour = { onMessage: (peer) => peer.close(1000), onClose: false, onEnd: false };
        const situation = await faulty("ready", behaviour)(t);
        if ("skip" in situation) return situation;
        const { product, upstream } = situation;
        await product.post("/v1/upstreams/default/send", { jsonrpc: "2.0", method: "close" });
        await upstream?.until(() => upstream.last.closeFrame, { what: "the answer to the peer's close frame" });
        return situation;
      },
      close: { code: 1000, by: "peer" },
    },
  ],
  [
    "ready, and the peer answers our close frame but leaves TCP open",
    { reach: faulty("ready", { onClose: (peer, { code }) => peer.close(code), onEnd: false }), close: closedByUs },
  ],
]);

for (const [name, { reach, close }] of states) {
  for (const cause of ["SIGTERM", "/shutdown"] as const) {
    test(`${name}: ${cause} ends it in order, with code 0`, async (t) => {
      const situation = await reach(t);
      if ("skip" in situation) return t.skip(situation.skip);
      const { product, upstream } = situation;
      const { code, signal, ms, report } = await stopBy(product, cause);
      assert.deepEqual([code, signal, report.exit_code, report.forced], [0, null, 0, false], product.stderr());
      assert.deepEqual(outcomes(report), ALL_DONE);
      assert.ok(ms < AT_ONCE_MS, `${ms} ms`);
      assert.deepEqual(stepOf(report, "close").counts, {
        upstreams: [{ upstream: "default", ...close, forced: false }],
      });
      assert.deepEqual(stepOf(report, "join").counts, { joined: 1, threads: 1 });
      if (!upstream) return;
      const ended = (): boolean => upstream.peers.every(({ phase, clientEnded }) => phase === "ended" || clientEnded);
      await upstream.until(ended, { within: 500, what: "the end of every connection" });
    });
  }
}

for (const [first, second] of [
  ["SIGTERM", "/shutdown"],
  ["/shutdown", "SIGTERM"],
] as const) {
  test(`stopping already by ${first}: ${second} neither restarts nor hurries it`, async (t) => {
    const upstream = await startFaultUpstream({ onMessage: never }, { t });
    const config = { shutdown: { drain: "400ms" }, upstreams: { default: { url: upstream.url } } };
    const product = await inPhase("ready", config, t);
    const pending = product.request({ jsonrpc: "2.0", id: 1, method: "silent" });
    await upstream.until(() => upstream.texts.length === 1);
    const stopping = stopBy(product, first);
    await until(async () => (await product.fetch("/readyz").then(({ status }) => status)) === 503);
    if (second === "SIGTERM") product.child.signal(second);
    const answered = second === "SIGTERM" ? undefined : product.fetch("/shutdown", { method: "POST" });
    const { code, report } = await stopping;
    assert.equal(code, 0, product.stderr());
    assert.deepEqual(outcomes(report), ["drain forced", ...ALL_DONE.slice(1)]);
    assert.ok(stepOf(report, "drain").ms >= 395, "the bound was kept");
    if (answered) assert.deepEqual(await (await answered).json(), report);
    assert.equal((await pending).headers.get("sidesocket-code"), "cancelled");
  });
}
