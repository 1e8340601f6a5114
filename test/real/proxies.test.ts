/** Proxies of Debian: tinyproxy, microsocks and HAProxy, each on the way to an upstream of ours. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { QUICK, scenes } from "../faults/scene.ts";
import { Child } from "../support/child.ts";
import { freePort } from "../support/free-port.ts";
import { until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { lacks } from "./programs.ts";

/** Starts a program that listens on this port, and waits until it does. */
async function start(command: string, args: readonly string[], port: number): Promise<Child> {
  const child = await Child.start({ command, args });
  const answers = () =>
    new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.destroy();
        resolve(true);
      });
      socket.on("error", () => resolve(false));
    });
  await until(() => child.exit !== undefined || answers(), { what: () => `${command} ${child.output()}` });
  return child;
}

describe("behind proxies of Debian", { skip: lacks("tinyproxy", "microsocks", "haproxy") }, () => {
  const children: Child[] = [];
  let folder: string;
  let upstream: Upstream;
  const ports = { tinyproxy: 0, microsocks: 0, haproxy: 0, nobody: 0 };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sidesocket-proxies-"));
    upstream = await startUpstream();
    for (const name of Object.keys(ports) as (keyof typeof ports)[]) ports[name] = await freePort();
    const tinyproxy = join(folder, "tinyproxy.conf");
    await writeFile(
      tinyproxy,
      `Port ${ports.tinyproxy}\nListen 127.0.0.1\nAllow 127.0.0.1\nBasicAuth anna s3cret\nMaxClients 50\n` +
        `ConnectPort ${upstream.port}\nConnectPort ${ports.nobody}\n`,
    );
    const haproxy = join(folder, "haproxy.cfg");
    const timeouts = "timeout connect 2s\n timeout client 60s\n timeout server 60s";
    await writeFile(
      haproxy,
      `defaults\n mode tcp\n ${timeouts}\nlisten through\n bind 127.0.0.1:${ports.haproxy}\n` +
        ` server tinyproxy 127.0.0.1:${ports.tinyproxy}\n`,
    );
    children.push(await start("tinyproxy", ["-d", "-c", tinyproxy], ports.tinyproxy));
    const login = ["-u", "anna", "-P", "s3cret"];
    children.push(
      await start("microsocks", ["-i", "127.0.0.1", "-p", String(ports.microsocks), ...login], ports.microsocks),
    );
    children.push(await start("haproxy", ["-f", haproxy], ports.haproxy));
  });
  after(async () => {
    for (const child of children) await child.kill();
    await upstream?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test("requests pass, and a wrong login and a dead upstream are told apart", async (t) => {
    const { url } = upstream;
    const socks = (login: string) => `socks5h://${login}127.0.0.1:${ports.microsocks}`;
    const http = (login: string, port = ports.tinyproxy) => `http://${login}127.0.0.1:${port}`;
    const dead = { url: `ws://127.0.0.1:${ports.nobody}/` };
    const reconnect = { ...QUICK, refused: "100ms" };
    const of = await scenes(t, {
      tinyproxy: [{ url }, { proxy: http("anna:s3cret@") }],
      haproxy: [{ url }, { proxy: http("anna:s3cret@", ports.haproxy) }],
      microsocks: [{ url }, { proxy: socks("anna:s3cret@") }],
      tiny_login: [{ url }, { proxy: http("anna:wrong@"), reconnect }],
      tiny_none: [{ url }, { proxy: http(""), reconnect }],
      tiny_port: [{ url: "ws://127.0.0.1:1/" }, { proxy: http("anna:s3cret@"), reconnect }],
      tiny_dead: [dead, { proxy: http("anna:s3cret@"), reconnect }],
      micro_login: [{ url }, { proxy: socks("anna:wrong@"), reconnect }],
      micro_none: [{ url }, { proxy: socks(""), reconnect }],
      micro_dead: [dead, { proxy: socks("anna:s3cret@"), reconnect }],
    });
    for (const name of ["tinyproxy", "haproxy", "microsocks"]) {
      await of(name).phase("ready");
      const reply = (await (await of(name).rpc("echo", [name])).json()) as { readonly result?: unknown };
      assert.deepEqual(reply.result, [name]);
    }
    const reasons = {
      tiny_login: /^the proxy \S+ refused the credentials \(HTTP (407|401)\)/,
      tiny_none: /^the proxy \S+ asks for credentials \(HTTP (407|401)\)/,
      tiny_port: /^the proxy \S+ does not allow this connection \(HTTP 403\)/,
      tiny_dead: /^the proxy \S+ could not reach the upstream \(HTTP 5\d\d\)/,
      micro_login: /^the proxy \S+ refused the credentials/,
      micro_none: /^the proxy \S+ asks for credentials/,
      micro_dead: /^the proxy \S+ could not reach the upstream \(connection refused\)/,
    };
    for (const [name, reason] of Object.entries(reasons)) await of(name).logged(reason);
    assert.equal((await of("tinyproxy").product.stop()).code, 0);
  });
});
