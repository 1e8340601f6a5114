/** Listeners on a Unix socket, and with TLS, as a real process. */
import assert from "node:assert/strict";
import { chmod, copyFile, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { type RequestOptions, request as requestPlain } from "node:http";
import { Agent, request as requestSecure } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import * as certificates from "../faults/certificates.ts";
import { DENO_PERMISSIONS, type Product, runProduct, StartFailed, startProduct } from "../support/product.ts";
import { runtime } from "../support/root.ts";
import { type Cleanup, until } from "../support/until.ts";

const TOKEN = "a-token-that-is-long-enough-for-listeners";
const echo = (value: string) => JSON.stringify({ jsonrpc: "2.0", id: 1, method: "echo", params: [value] });

interface Said {
  readonly status: number;
  readonly text: string;
}

/** Makes one request, over TLS if the options have `ca`. */
function ask(
  options: RequestOptions & { readonly ca?: string; readonly checkServerIdentity?: () => undefined },
  body = "",
): Promise<Said> {
  const request = (options.ca === undefined ? requestPlain : requestSecure)({ host: "127.0.0.1", ...options });
  return new Promise((resolve, reject) => {
    request.once("error", reject);
    request.once("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk) => {
        text += chunk;
      });
      response.once("error", reject).once("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    request.end(body);
  });
}

const post = { method: "POST", path: "/rpc", headers: { "content-type": "application/json" } } as const;

async function temporary(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sidesocket-listeners-"));
  await chmod(folder, 0o755);
  return folder;
}

describe("a listener on a Unix socket", () => {
  let folder = "";
  let path = "";
  before(async () => {
    folder = await temporary();
    path = join(folder, "api.sock");
  });
  after(() => rm(folder, { recursive: true, force: true }));
  const denoPermissions = (): string[] => [...DENO_PERMISSIONS, `--allow-write=${folder}`];
  const start = (t: Cleanup, args: readonly string[] = []) =>
    startProduct({ args: ["--listen-path", path, ...args], denoPermissions: denoPermissions(), t });
  const run = (...args: string[]) => runProduct(args, { denoPermissions: denoPermissions() });

  test("it needs no token, serves no foreign Host, is asked by the commands, and is not taken from a process that lives", async (t) => {
    const product = await start(t);
    assert.equal(product.url, `unix:${path}`);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    const over = { socketPath: path };
    await until(async () => (await ask({ ...over, path: "/readyz" })).status === 200);
    for (const host of ["localhost", "127.0.0.1:8787", "LOCALHOST:80"]) {
      const said = await ask({ ...over, ...post, headers: { ...post.headers, host } }, echo(host));
      assert.deepEqual([said.status, JSON.parse(said.text).result], [200, [host]]);
    }
    const rebound = await ask({ ...over, path: "/v1/upstreams/default/messages", headers: { host: "evil.example" } });
    assert.equal(rebound.status, 421, "a page behind a proxy that passes its Host on");
    const foreign = { ...post.headers, origin: "http://evil.example", host: "localhost" };
    assert.equal((await ask({ ...over, ...post, headers: foreign }, echo("x"))).status, 403);
    await product.said(new RegExp(`curl --unix-socket ${path} --json '.*' http://localhost/rpc`));

    const [asked, second] = await Promise.all([run("status", "--service", `unix:${path}`), run("--listen-path", path)]);
    assert.deepEqual([asked.code, /^ready\n/.test(asked.stdout)], [0, true], asked.stderr);
    assert.deepEqual([second.code, second.stdout], [2, ""]);
    assert.match(second.stderr, /listen\.path: .*EADDRINUSE.*: end the process that listens there/);
    assert.equal((await ask({ ...over, path: "/livez" })).status, 200);

    await product.kill();
    assert.deepEqual(await readdir(folder), ["api.sock"]);
    const config = join(folder, "api.yaml");
    const { cert, key } = certificates.good;
    const files = { "cert.pem": cert, "key.pem": key, "ca.pem": certificates.authority };
    await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(folder, name), text)));
    const tls = "tls: { cert: cert.pem, key: key.pem }";
    await writeFile(config, `listen: { path: api.sock, mode: "0666", hosts: [api.example], ${tls} }`);
    const args = ["--config", config];
    const next = await startProduct({ args, denoPermissions: denoPermissions(), t });
    assert.equal(next.url, `unix:${path}`, "below the file's folder");
    assert.equal((await stat(path)).mode & 0o777, 0o666);
    const securely = { ...over, ca: certificates.authority, checkServerIdentity: () => undefined };
    await until(async () => (await ask({ ...securely, path: "/readyz" })).status === 200);
    const named = async (host: string) => (await ask({ ...securely, path: "/version", headers: { host } })).status;
    assert.deepEqual(
      [await named("api.example"), await named("localhost"), await named("evil.example")],
      [200, 200, 421],
    );
    await next.said(new RegExp(`curl --unix-socket ${path} --json '.*' https://localhost/rpc`));
    const trust = ["--ca", join(folder, "ca.pem")];
    const asks = [
      ["--config", config, ...trust],
      ["--service", `unix:${path}`, ...trust],
      ["--config", config],
    ];
    const [configured, given, distrustful] = await Promise.all(asks.map((each) => run("status", ...each)));
    assert.match(configured?.stdout ?? "", /^ready\n/, configured?.stderr);
    assert.match(given?.stdout ?? "", /^ready\n/, given?.stderr);
    assert.notEqual(distrustful?.code, 0, "its certificate is of nobody that this machine trusts");
    assert.match(distrustful?.stderr ?? "", /its certificate is not trusted: .* by --ca/);
    assert.equal(
      (await ask({ ...securely, method: "POST", path: "/shutdown", headers: { host: "api.example" } })).status,
      200,
    );
    assert.equal((await next.ended()).code, 0);
    assert.deepEqual((await readdir(folder)).sort(), ["api.yaml", ...Object.keys(files)].sort(), "the socket is gone");
  });

  test("on Deno the command that is printed has all that the socket needs", { skip: runtime !== "deno" }, async (t) => {
    const args = ["--listen-path", path];
    const lacking = await startProduct({ args, denoPermissions: ["--allow-env", "--allow-read"], t }).catch(
      (error) => error,
    );
    assert.ok(lacking instanceof StartFailed, String(lacking));
    const denoPermissions = / deno run (.*) src\/main\.ts/.exec(lacking.stderr)?.[1]?.replaceAll("'", "").split(" ");
    assert.ok(denoPermissions, lacking.stderr);
    const product = await startProduct({ args, denoPermissions, t });
    assert.equal((await ask({ socketPath: path, path: "/livez" })).status, 200);
    assert.equal((await product.stop()).code, 0);
  });
});

describe("a listener with TLS", () => {
  let folder = "";
  let product: Product;
  const ca = certificates.authority;
  const at = (name: string) => join(folder, name);
  const install = async ({ cert, key }: certificates.Certificate): Promise<void> => {
    await writeFile(at("cert.pem"), cert);
    await writeFile(at("key.pem"), key, { mode: 0o600 });
  };
  before(async () => {
    folder = await temporary();
    await install(certificates.good);
    await writeFile(at("ca.pem"), ca);
    await writeFile(at("tls.yaml"), "listen: { host: 0.0.0.0, tls: { cert: cert.pem, key: key.pem } }");
    const args = ["--config", at("tls.yaml")];
    product = await startProduct({ args, env: { SIDESOCKET_TOKEN: TOKEN } });
    await until(async () => (await ask({ port: product.port, path: "/readyz", ca })).status === 200);
  });
  after(async () => {
    await product?.kill();
    await rm(folder, { recursive: true, force: true });
  });
  const authorization = `Bearer ${TOKEN}`;
  /** The name in the certificate that a new connection gets. */
  const presented = (): Promise<string | undefined> =>
    new Promise((resolve, reject) => {
      const socket: TLSSocket = connect({ host: "127.0.0.1", port: product.port, rejectUnauthorized: false }, () => {
        resolve(String(socket.getPeerCertificate().subject.CN));
        socket.destroy();
      });
      socket.once("error", reject);
    });

  test("it serves HTTPS only, still wants a token, and is asked by the commands", async () => {
    const { port } = product;
    assert.match(product.url, /^https:\/\/0\.0\.0\.0:\d+$/);
    const authorized = { ...post, headers: { ...post.headers, authorization } };
    assert.deepEqual(JSON.parse((await ask({ port, ca, ...authorized }, echo("x"))).text).result, ["x"]);
    assert.equal((await ask({ port, ca, ...post }, echo("x"))).status, 401);
    await assert.rejects(ask({ port, path: "/livez" }), "plain HTTP");
    const env = { SIDESOCKET_TOKEN: TOKEN };
    const service = ["status", "--service", `https://127.0.0.1:${port}`];
    const trusted = await runProduct([...service, "--ca", at("ca.pem")], { env });
    assert.deepEqual([trusted.code, /^ready\n/.test(trusted.stdout)], [0, true], trusted.stderr);
    const distrustful = await runProduct(service, { env });
    assert.match(distrustful.stderr, /its certificate is not trusted: .* by --ca/);
  });

  test("a reload takes new certificates for new connections, and the open ones stay", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const open = { port: product.port, ca, agent, headers: { authorization } };
    const reload = async () => JSON.parse((await ask({ ...open, method: "POST", path: "/reload" })).text);
    assert.equal((await ask({ ...open, path: "/version" })).status, 200);
    const [socket] = Object.values(agent.freeSockets)[0] ?? [];
    await install(certificates.wrongHost);
    assert.deepEqual((await reload()).applied, ["listen.tls"]);
    assert.equal(await presented(), "other");
    await writeFile(at("key.pem"), certificates.good.key);
    assert.match((await reload()).detail, /tls\.yaml:1:\d+: listen\.tls\.key: tls\.key does not fit tls\.cert/);
    assert.equal(await presented(), "other");
    await install(certificates.good);
    await copyFile(at("tls.yaml"), at("old.yaml"));
    await writeFile(at("tls.yaml"), "listen: { host: 0.0.0.0, tls: { cert: cert.pem, key: key.pem, ca: ca.pem } }");
    assert.deepEqual((await reload()).needs_restart, ["listen.tls"], "callers' certificates");
    await copyFile(at("old.yaml"), at("tls.yaml"));
    assert.deepEqual((await reload()).applied, ["listen.tls"]);
    assert.equal(await presented(), "good");
    assert.equal((await ask({ ...open, path: "/version" })).status, 200);
    assert.equal(Object.values(agent.freeSockets)[0]?.[0], socket, "one connection had all of it");
    agent.destroy();
  });
});
