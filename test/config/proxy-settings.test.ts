/** The proxy in the configuration: its forms, its secrets, and the variables of the machine. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { describeConfig } from "../../src/config/describe.ts";
import { loadConfig } from "../../src/config/load.ts";
import { needsOf } from "../../src/permissions/permissions.ts";
import { secretsOf } from "../../src/secrets/secrets.ts";

type Env = Record<string, string | undefined>;

/** Loads one upstream with these settings. */
async function load(settings: object, env: Env = {}) {
  const upstreams = { a: { url: "wss://up.example/", ...settings } };
  const file = JSON.stringify({ upstreams });
  return await loadConfig({ flags: { config: "c.yaml" }, env, cwd: "/etc", readFile: async () => file });
}

const proxyOf = async (proxy: unknown, env?: Env) => (await load({ proxy }, env)).upstreams.get("a")?.proxy;

describe("a proxy", () => {
  const forms: readonly (readonly [written: string, parts: object])[] = [
    ["http://proxy.example:3128", { scheme: "http", hostname: "proxy.example", port: 3128 }],
    ["HTTP://Proxy.Example/", { scheme: "http", hostname: "proxy.example", port: 80 }],
    ["https://proxy", { scheme: "https", hostname: "proxy", port: 443 }],
    ["socks5://[::1]:9", { scheme: "socks5", hostname: "::1", port: 9 }],
    ["socks5h://10.0.0.1", { scheme: "socks5h", hostname: "10.0.0.1", port: 1080 }],
    ["http://anna@p", { scheme: "http", hostname: "p", port: 80, username: "anna" }],
    ["http://anna:a%40b:c@p", { scheme: "http", hostname: "p", port: 80, username: "anna", password: "a@b:c" }],
    [
      "http://a:${file:/run/pw}@p:1",
      { scheme: "http", hostname: "p", port: 1, username: "a", password: "${file:/run/pw}" },
    ],
    ["http://${file:/u}:x@p", { scheme: "http", hostname: "p", port: 80, username: "${file:/u}", password: "x" }],
  ];
  for (const [written, parts] of forms) {
    test(`${written} is taken apart`, async () => {
      assert.deepEqual(await proxyOf(written), { ...parts, except: [] });
      assert.deepEqual(await proxyOf({ url: written, except: ["x"] }), { ...parts, except: ["x"] });
    });
  }

  const FORM = /upstreams\.a\.proxy: must be env, or an http:\/\/, https:\/\/, socks5:\/\/ or socks5h:\/\/ URL/;
  const wrong: readonly (readonly [written: unknown, what: RegExp])[] = [
    ["proxy:3128", FORM],
    ["ftp://proxy", FORM],
    ["socks4://proxy", FORM],
    ["http://proxy/path", FORM],
    ["http://proxy:99999", FORM],
    ["http://proxy:0", FORM],
    ["http://", FORM],
    ["http://pro xy", FORM],
    [7, FORM],
    [{ url: "nothing" }, /proxy\.url: must be env/],
    ["http://:password@proxy", /must have a user before the password/],
    ["http://${file:/run/host}", /must/],
    ["http://p${credentials:x}", /must have its host written out|must be env/],
    ["http://a:${credentials:pw}@p", /credentials: is missing/],
    [{ url: "http://p", except: ["a b"] }, /must/],
  ];
  for (const [written, what] of wrong) {
    test(`${JSON.stringify(written)} is refused`, async () => {
      await assert.rejects(proxyOf(written), what);
    });
  }

  test("its user and password are secrets, and no description shows them", async () => {
    const config = await load({
      proxy: "http://annabell:c4n4ry@p",
      webhooks: [{ url: "https://hook", proxy: "http://annabell:c4n4ry@p" }],
    });
    assert.doesNotMatch(describeConfig(config), /c4n4ry|annabell/);
    assert.match(describeConfig(config), /http:\/\/\S+@p$/m);
    const [settings] = config.upstreams.values();
    assert.deepEqual(settings && secretsOf(settings), ["annabell", "c4n4ry"]);
  });

  test("a password that leaves the machine in the clear is warned of, and a secret over ws:// is refused", async () => {
    const clear = /sent its password in the clear/;
    const warned = async (proxy: string) => (await load({ proxy })).warnings.some((warning) => clear.test(warning));
    assert.equal(await warned("http://a:b@p"), true);
    assert.equal(await warned("socks5h://a:b@p"), true);
    assert.equal(await warned("https://a:b@p"), false);
    assert.equal(await warned("http://a:b@127.0.0.1"), false);
    assert.equal(await warned("http://p"), false);
    // A name of loopback is the proxy's own machine.
    const local = { url: "ws://localhost:1/", headers: { authorization: "x" } };
    await assert.rejects(load({ ...local, proxy: "http://p" }), /would send credentials in the clear/);
    await load({ ...local, proxy: "http://127.0.0.1" });
    // The proxy's login is not sent to the upstream.
    await load({ url: "ws://up.example/", proxy: "https://a:${file:/run/pw}@p" });
  });
});

describe("proxy: env", () => {
  const rows: readonly (readonly [env: Env, proxy: object | undefined])[] = [
    [{}, undefined],
    [{ HTTPS_PROXY: "" }, undefined],
    [{ HTTP_PROXY: "http://p" }, undefined],
    [{ HTTPS_PROXY: "http://p:1" }, { scheme: "http", hostname: "p", port: 1 }],
    [{ HTTPS_PROXY: "p:1" }, { scheme: "http", hostname: "p", port: 1 }],
    [{ ALL_PROXY: "socks5h://p" }, { scheme: "socks5h", hostname: "p", port: 1080 }],
    [
      { ALL_PROXY: "socks5h://p", https_proxy: "q", HTTPS_PROXY: "r" },
      { scheme: "http", hostname: "q", port: 80 },
    ],
    [
      { HTTPS_PROXY: "http://a:${file:/x}@p" },
      { scheme: "http", hostname: "p", port: 80, username: "a", password: "$${file:/x}" },
    ],
  ];
  for (const [env, parts] of rows) {
    test(`${JSON.stringify(env)} names ${parts ? JSON.stringify(parts) : "none"}`, async () => {
      const except = ["localhost", "127.0.0.0/8", "[::1]"];
      assert.deepEqual(await proxyOf("env", env), parts && { ...parts, except });
    });
  }

  test("excepts this machine and what NO_PROXY lists", async () => {
    const proxy = await proxyOf("env", { HTTPS_PROXY: "p", NO_PROXY: "a.example, .b.example,,10.0.0.0/8" });
    assert.deepEqual(proxy?.except.slice(3), ["a.example", ".b.example", "10.0.0.0/8"]);
  });

  test("a wrong variable is refused by its name, without its value", async () => {
    await assert.rejects(proxyOf("env", { HTTPS_PROXY: "ftp://s3cret" }), (error: Error) => {
      assert.match(error.message, /^HTTPS_PROXY: must be an http:\/\//);
      assert.doesNotMatch(error.message, /s3cret/);
      return true;
    });
  });

  test("its variables are among those that Deno must permit", async () => {
    const { sources } = await load({ webhooks: [{ url: "https://hook", proxy: "env" }] }, {});
    assert.ok(
      ["https_proxy", "NO_PROXY"].every((name) => sources.variables.includes(name)),
      `${sources.variables}`,
    );
    assert.deepEqual((await load({})).sources.variables, []);
  });
});

test("the permissions cover the proxy in place of the hosts behind it", async () => {
  const reconnect = {
    to_address: { when: { has: ["/x"] }, at: "/x", hosts: ["other.example", "*.sub.example:9", "free.example"] },
  };
  const net = async (proxy: unknown) => {
    const { upstreams, sources } = await load({ proxy, reconnect });
    return needsOf({ upstreams, sources }).net;
  };
  const hosts = ["other.example:443", "*.sub.example:9", "free.example:443"];
  assert.deepEqual(await net(undefined), ["up.example:443", ...hosts]);
  assert.deepEqual(await net({ url: "http://p:1", except: ["free.example"] }), [
    "p:1",
    "*.sub.example:9",
    "free.example:443",
  ]);
  assert.deepEqual(await net("socks5://[::1]:9"), ["[::1]:9", "up.example:443", ...hosts]);
});
