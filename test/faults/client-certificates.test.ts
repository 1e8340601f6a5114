/** TLS with certificates of our own: upstreams that ask for one, and files that are wrong or change. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { WebSocketServer } from "ws";
import { loadConfig } from "../../src/config/load.ts";
import type { Cleanup } from "../support/until.ts";
import { authority, good, selfSigned, wrongHost } from "./certificates.ts";
import { assertQuiet, scenes } from "./scene.ts";

const PASSPHRASE = "c4n4ry-of-the-key";

async function temporary(t: Cleanup): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sidesocket-tls-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A server of WebSockets behind TLS. `drop` ends its connections. */
async function secure(t: Cleanup, options: ServerOptions) {
  const server = createServer(options).listen(0, "127.0.0.1");
  const sockets = new WebSocketServer({ server });
  await once(server, "listening");
  t.after(async () => {
    sockets.close();
    server.close();
    server.closeAllConnections();
  });
  const drop = () => {
    for (const socket of sockets.clients) socket.terminate();
  };
  return { url: `wss://127.0.0.1:${(server.address() as AddressInfo).port}/`, drop };
}

test("an upstream that asks for a certificate gets ours, and each one that it does not take has a reason", async (t) => {
  const folder = await temporary(t);
  const at = (name: string) => join(folder, name);
  const files = {
    "ca.pem": authority,
    "cert.pem": good.cert,
    "key.pem": good.key,
    "other.pem": selfSigned.cert,
    "other-key.pem": selfSigned.key,
    passphrase: PASSPHRASE,
  };
  for (const [name, text] of Object.entries(files)) await writeFile(at(name), text);
  const openssl = (...args: string[]) => spawnSync("openssl", args, { cwd: folder }).status === 0;
  const passout = ["-passout", "file:passphrase"];
  const hasOpenssl =
    openssl("pkcs12", "-export", "-in", "cert.pem", "-inkey", "key.pem", "-out", "both.pfx", ...passout) &&
    openssl("pkcs8", "-topk8", "-in", "key.pem", "-out", "closed.pem", ...passout);

  const asking = await secure(t, { ...good, ca: authority, requestCert: true, rejectUnauthorized: true });
  const old = await secure(t, { ...good, maxVersion: "TLSv1.2" });
  const named = await secure(t, wrongHost);
  const ca = at("ca.pem");
  const pair = { cert: at("cert.pem"), key: at("key.pem") };
  const passphrase = `\${file:${at("passphrase")}}`;
  const of = await scenes(t, {
    pair: [asking, { tls: { ca, ...pair } }],
    none: [asking, { tls: { ca } }],
    untrusted: [asking, { tls: { ca, cert: at("other.pem"), key: at("other-key.pem") } }],
    named: [named, { tls: { ca, servername: "other.example" } }],
    unnamed: [named, { tls: { ca } }],
    old: [old, { tls: { ca, min_version: "1.3" } }],
    ...(hasOpenssl && {
      pfx: [asking, { tls: { ca, pfx: at("both.pfx"), passphrase } }],
      closed: [asking, { tls: { ca, cert: at("cert.pem"), key: at("closed.pem"), passphrase } }],
    }),
  });
  for (const name of ["pair", "named", ...(hasOpenssl ? ["pfx", "closed"] : [])]) await of(name).phase("ready");
  for (const name of ["unnamed", "old"]) await of(name).logged(/^TLS to the upstream failed/);
  for (const name of ["none", "untrusted"]) await of(name).logged(/^TLS to the upstream failed|could not be reached/);

  // The next attempt reads what the files have then.
  await writeFile(at("key.pem"), selfSigned.key);
  asking.drop();
  await of("pair").logged(/^the settings for this attempt could not be resolved: tls\.key does not fit tls\.cert$/);
  await writeFile(at("cert.pem"), "nothing");
  await of("pair").logged(/cert\.pem has no certificate in PEM format \(tls\.cert\)$/);
  await rm(at("key.pem"));
  await writeFile(at("cert.pem"), good.cert);
  await of("pair").logged(/key\.pem cannot be read \(Error ENOENT\)$/);
  await writeFile(at("key.pem"), good.key);
  await of("pair").phase("ready");

  const { product } = of("pair");
  assert.equal((await product.stop()).code, 0, product.stderr());
  assertQuiet(product);
  assert.ok(!(product.stdout() + product.stderr()).includes(PASSPHRASE), "the passphrase was shown");
});

test("a file of TLS that is wrong stops the start by its key", async (t) => {
  const folder = await temporary(t);
  const at = (name: string) => join(folder, name);
  for (const [name, text] of Object.entries({ cert: good.cert, key: good.key, other: selfSigned.key, junk: "junk" })) {
    await writeFile(at(name), text);
  }
  const broken = `-----BEGIN PRIVATE KEY-----\n${"A".repeat(64)}\n-----END PRIVATE KEY-----\n`;
  await writeFile(at("broken"), broken);
  const rows: readonly (readonly [tls: object, what: RegExp])[] = [
    [{ cert: at("none"), key: at("key") }, /tls\.cert: cannot read \S+: no such file/],
    [{ cert: at("junk"), key: at("key") }, /tls\.cert: \S+ has no certificate in PEM format/],
    [{ cert: at("cert"), key: at("cert") }, /tls\.key: \S+ has no private key in PEM format/],
    [{ cert: at("cert"), key: at("other") }, /tls\.key: tls\.key does not fit tls\.cert/],
    [{ cert: at("cert"), key: at("broken") }, /tls\.key: tls\.key cannot be opened/],
    [{ cert: at("cert") }, /tls\.cert: needs key beside it/],
    [{ passphrase: "x" }, /tls\.passphrase: needs key or pfx/],
    [{ ca: at("cert"), min_version: "1.1" }, /tls\.min_version: must be "1\.2" or "1\.3"/],
  ];
  const upstreams = Object.fromEntries(rows.map(([tls], index) => [`u${index}`, { url: "wss://up.example/", tls }]));
  const config = at("config.yaml");
  for (const [index, [, what]] of rows.entries()) {
    const one = { [`u${index}`]: upstreams[`u${index}`] };
    await writeFile(config, JSON.stringify({ upstreams: one }));
    await assert.rejects(loadConfig({ flags: { config }, env: {} }), what);
  }
});
