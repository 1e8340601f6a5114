/** Debian's nginx before upstreams of ours: a proxy, a redirect, a sticky session, and a backend that is away. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { QUICK, scenes } from "../faults/scene.ts";
import { Child } from "../support/child.ts";
import { freePort } from "../support/free-port.ts";
import { until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { lacks } from "./programs.ts";

describe("behind nginx of Debian", { skip: lacks("nginx") }, () => {
  let folder: string;
  let nginx: Child;
  let backends: Upstream[];
  let base: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sidesocket-nginx-"));
    backends = [await startUpstream(), await startUpstream()];
    const [port, nobody] = [await freePort(), await freePort()];
    base = `ws://127.0.0.1:${port}`;
    const [one, other] = backends.map((backend) => `127.0.0.1:${backend.port}`);
    const proxied =
      "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;";
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map((name) => `${name}_temp_path ${join(folder, name)};`)
      .join(" ");
    const config = join(folder, "nginx.conf");
    await writeFile(
      config,
      `daemon off; master_process off; pid ${join(folder, "pid")}; error_log stderr;
      events {}
      http {
        access_log off; ${temporary}
        map $cookie_route $picked { default ""; one ${one}; other ${other}; }
        split_clients "$request_id" $drawn { 50% one; * other; }
        map $drawn $address { one ${one}; other ${other}; }
        map $picked $backend { default $picked; "" $address; }
        map $picked $set_cookie { default ""; "" "route=$drawn; Path=/; HttpOnly"; }
        server {
          listen 127.0.0.1:${port};
          location /plain/ { proxy_pass http://${one}; ${proxied} }
          location /sticky/ { proxy_pass http://$backend; add_header Set-Cookie $set_cookie always; ${proxied} }
          location /moved/ { return 301 /plain/moved?to=here; }
          location /away/ { proxy_pass http://127.0.0.1:${nobody}; ${proxied} }
        }
      }`,
    );
    nginx = await Child.start({ command: "nginx", args: ["-p", folder, "-c", config] });
    await until(
      async () => nginx.exit !== undefined || (await fetch(base.replace("ws", "http")).catch(() => undefined)),
      {
        what: () => `nginx to listen: ${nginx.output()}`,
      },
    );
  });
  after(async () => {
    await nginx?.kill();
    for (const backend of backends ?? []) await backend.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test("it is passed, redirects are followed, a session sticks to its backend, and one that is away is told", async (t) => {
    const host = new URL(base).host;
    const slow = { ...QUICK, refused: "1h" };
    const of = await scenes(t, {
      plain: [{ url: `${base}/plain/a` }],
      moved: [{ url: `${base}/moved/` }, { redirects: [host] }],
      unmoved: [{ url: `${base}/moved/` }, { reconnect: slow }],
      sticky: [{ url: `${base}/sticky/` }, { cookies: true, reconnect: { from: "1ms", to: "1ms" } }],
      away: [{ url: `${base}/away/` }],
    });
    for (const name of ["plain", "moved", "sticky"]) {
      await of(name).phase("ready");
      const reply = (await (await of(name).rpc("echo", [name])).json()) as { readonly result?: unknown };
      assert.deepEqual(reply.result, [name]);
    }
    const [one] = backends as [Upstream, Upstream];
    assert.ok(one.connections.some(({ path }) => path === "/plain/moved?to=here"));
    await of("unmoved").logged(/HTTP 301, a redirect to http:\S+\/plain\/moved\?… that is not followed/);
    await of("away").logged(/HTTP 502/);
    const stuck = () => backends.map(({ connections }) => connections.filter(({ path }) => path === "/sticky/"));
    const rounds = 8;
    for (let round = 1; round <= rounds; round++) {
      const open = await until(() => stuck().flat().length === round && stuck().flat().at(-1), {
        what: "a connection",
      });
      for (const connection of stuck().flat()) if (connection.open) connection.kill();
      assert.ok(open);
    }
    const [some, others] = stuck().map(({ length }) => length);
    assert.ok(some === 0 || others === 0, `a session went to both backends: ${some} and ${others}`);
    assert.equal((await of("plain").product.stop()).code, 0);
  });
});
