/** `sidesocket doctor` as a real process: worlds that are wrong in one thing each, and what it says about them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { WebSocketServer } from "ws";
import * as certificates from "../faults/certificates.ts";
import { startFaultUpstream } from "../faults/upstream.ts";
import { freePort } from "../support/free-port.ts";
import { runProduct } from "../support/product.ts";
import { runtime } from "../support/root.ts";
import type { Cleanup } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";

const CANARY = "c4n4ry-s3cr3t-0123456789abcdef";

describe("sidesocket doctor", () => {
  let upstream: Upstream;
  let folder = "";
  before(async () => {
    upstream = await startUpstream({
      onMessage: (message, connection) =>
        connection.send({ type: String(message).includes("right") ? "auth_ok" : "auth_invalid" }),
    });
    folder = await mkdtemp(join(tmpdir(), "sidesocket-doctor-"));
  });
  after(async () => {
    await upstream?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Runs it on these upstreams, and asserts that it shows no secret. */
  const doctor = async (upstreams: object, more: object = {}, args: readonly string[] = []) => {
    const file = join(folder, `${Math.random()}.yaml`);
    await writeFile(file, JSON.stringify({ upstreams, ...more }), { mode: 0o600 });
    const ran = await runProduct(["doctor", "--config", file, "--port", "0", ...args], {
      env: { HTTPS_PROXY: undefined, https_proxy: undefined, HTTP_PROXY: undefined, http_proxy: undefined },
    });
    assert.doesNotMatch(ran.stdout + ran.stderr, new RegExp(CANARY));
    assert.doesNotMatch(ran.stdout, /^(?!ok {4}|warn {2}|fail {2}).+$/m);
    return ran;
  };
  const greeting = (token: string) => [
    { send: { type: "auth", token } },
    { expect: { match: { "/type": "auth_ok" }, reject: { "/type": "auth_invalid" } } },
  ];

  test("a world in order is exit code 0, and every check is named", async () => {
    const ran = await doctor({ default: { url: upstream.url, greeting: greeting("right") } });
    assert.deepEqual([ran.code, ran.stderr], [0, ""], ran.stdout);
    for (const said of [
      `runtime: ${runtime} `,
      "proxy: no variable",
      "configuration: default",
      "descriptors: ",
      "listen: any free port",
      `upstream default: 127.0.0.1:${upstream.port} accepts connections`,
      "upstream default: the WebSocket is open, and the greeting is done",
      "exit: done",
    ]) {
      assert.ok(ran.stdout.includes(said), `${said}\n${ran.stdout}`);
    }
    await upstream.until(() => upstream.last.closed?.code === 1001);
  });

  test("each upstream that is wrong fails with its reason and a cure, beside one that is right", async () => {
    const end: (() => unknown)[] = [];
    const t: Cleanup = { after: (tidy) => end.push(tidy) };
    const refusing = await startFaultUpstream({ handshake: { do: "refuse", status: 401 } }, { t });
    const lost = await startFaultUpstream({ handshake: { do: "refuse", status: 404 } }, { t });
    const silent = await startFaultUpstream({ handshake: { do: "silent" } }, { t });
    const garbage = await startFaultUpstream({ handshake: { do: "garbage", text: "SSH-2.0-x\r\n\r\n" } }, { t });
    const other = await startUpstream({ t, subprotocol: () => "other" });
    const secure = async (certificate: certificates.Certificate) => {
      const server = createHttpsServer(certificate).listen(0, "127.0.0.1");
      const sockets = new WebSocketServer({ server });
      await once(server, "listening");
      end.push(() => {
        sockets.close();
        server.close();
        server.closeAllConnections();
      });
      return `wss://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    };
    const ca = join(folder, "ca.pem");
    await writeFile(ca, certificates.authority);
    const empty = join(folder, "empty");
    await writeFile(empty, "");
    const headers = { authorization: `Bearer ${CANARY}` };
    const login = greeting(CANARY);
    const ran = await doctor({
      good: { url: upstream.url },
      trusted: { url: await secure(certificates.good), ca },
      nameless: { url: `wss://no-such-host.invalid/${CANARY}` },
      closed: { url: `ws://127.0.0.1:${await freePort()}/?token=${CANARY}` },
      refused: { url: refusing.url, headers },
      lost: { url: lost.url },
      login: { url: upstream.url, greeting: login },
      silent: { url: silent.url, connect_within: "1s" },
      garbage: { url: garbage.url },
      dialect: { url: other.url, subprotocols: ["mine"] },
      selfsigned: { url: await secure(certificates.selfSigned) },
      expired: { url: await secure(certificates.expired), ca },
      plain: { url: upstream.url.replace("ws:", "wss:"), connect_within: "2s" },
      secret: { url: upstream.url, headers: { authorization: `Bearer \${file:${empty}}` } },
    }).finally(() => Promise.all(end.map((tidy) => tidy())));
    assert.equal(ran.code, 1, ran.stdout);
    const expected: readonly (readonly [verdict: string, said: RegExp])[] = [
      ["ok", /upstream good: the WebSocket is open$/],
      ["ok", /upstream trusted: TLS with \S+ is agreed on, its certificate is valid until/],
      ["ok", /upstream trusted: the WebSocket is open$/],
      ["fail", /upstream nameless: no-such-host\.invalid cannot be resolved .*; correct the name/],
      ["fail", /upstream closed: 127\.0\.0\.1:\d+ cannot be reached \(ECONNREFUSED\); start it/],
      ["fail", /upstream refused: .*HTTP 401.*; correct the token/],
      ["fail", /upstream lost: .*HTTP 404.*; correct the path/],
      ["fail", /upstream login: the upstream refused the greeting.*; correct the credentials/],
      ["fail", /upstream silent: no connection within 1000 ms.*; the host takes the connection and says nothing/],
      ["fail", /upstream garbage: .*; correct the port and the path/],
      ["fail", /upstream dialect: .*; set subprotocols/],
      ["fail", /upstream selfsigned: TLS with \S+ failed \(\S+.*\); set `ca`/],
      ["fail", /upstream expired: TLS with \S+ failed \(.* to Jan {2}2 00:00:00 2020 GMT\); let its operator renew/],
      ["fail", /upstream plain: TLS with .*; the port may speak no TLS/],
      ["fail", /secret file of upstream secret: .*empty is empty; write the secret into it/],
    ];
    for (const [verdict, said] of expected) {
      const line = ran.stdout.split("\n").find((each) => said.test(each));
      assert.equal(line?.slice(0, 4).trim(), verdict, `${said}\n${ran.stdout}`);
    }
    assert.match(ran.stdout, /^ok {4}exit: done/m);
  });

  test("a wrong file fails with every problem in it, and nothing is connected to", async () => {
    const before = upstream.connections.length;
    const ran = await doctor({ default: { url: upstream.url, conect_within: "1s" }, other: { url: "http://x" } });
    assert.deepEqual([ran.code, ran.stderr], [1, ""]);
    assert.match(
      ran.stdout,
      /^fail {2}configuration: .*conect_within: is not a known key \(did you mean connect_within\?/m,
    );
    assert.match(ran.stdout, /^fail {2}configuration: .*upstreams\.other\.url/m);
    assert.equal(upstream.connections.length, before);
  });

  test("a taken port fails; open files, proxies and few descriptors are warned of", async (t) => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as AddressInfo;
    const secret = join(folder, "secret");
    await writeFile(secret, `${CANARY}\n`);
    await chmod(secret, 0o644);
    const file = join(folder, "open.yaml");
    const headers = { authorization: `Bearer \${file:${secret}}` };
    const listen = { metrics: { port } };
    await writeFile(file, JSON.stringify({ listen, upstreams: { default: { url: upstream.url, headers } } }));
    const ran = await runProduct(["doctor", "--config", file, "--port", String(port)], {
      env: { HTTPS_PROXY: "http://user:c4n4ry@proxy:1" },
      wrapper: ["/bin/sh", "-c", 'ulimit -n 256; exec "$@"', "sh"],
      t,
    }).finally(() => taken.close());
    assert.equal(ran.code, 1, ran.stdout);
    assert.match(ran.stdout, new RegExp(`^fail {2}listen: 127.0.0.1:${port} .*EADDRINUSE.*; .*--port`, "m"));
    assert.match(ran.stdout, new RegExp(`^fail {2}listen.metrics: 127.0.0.1:${port} .*listen.metrics.port`, "m"));
    assert.match(ran.stdout, /^warn {2}secret file of upstream default: .*every user.*; chmod o-r/m);
    assert.match(ran.stdout, /^warn {2}proxy: HTTPS_PROXY is set and not used/m);
    // On Deno the limit is shown only with every permission.
    if (runtime === "node") assert.match(ran.stdout, /^warn {2}descriptors: the limit of 256/m);
    assert.doesNotMatch(ran.stdout, /c4n4ry/);
  });

  test("on Deno, a missing permission fails with the command that works", { skip: runtime !== "deno" }, async () => {
    const denoPermissions = ["--allow-env", "--allow-read"];
    const ran = await runProduct(["doctor", "--upstream", upstream.url, "--port", "0"], { denoPermissions });
    assert.equal(ran.code, 1, ran.stderr);
    assert.match(ran.stdout, new RegExp(`^fail {2}permissions: .* --allow-net=\\S*127.0.0.1:${upstream.port}`, "m"));
  });

  test("an argument is exit code 2", async () => {
    const ran = await runProduct(["doctor", "more"]);
    assert.deepEqual([ran.code, ran.stdout], [2, ""]);
    assert.match(ran.stderr, /doctor takes options only/);
  });
});
