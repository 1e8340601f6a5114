/** Redirects of the upgrade and the cookies that come with its responses, without sockets. */
import assert from "node:assert/strict";
import process from "node:process";
import { describe, test } from "node:test";
import type { Disconnect } from "../../../src/core/connection/disconnect.ts";
import { REDIRECTS_MAX, redirectOf } from "../../../src/core/connection/redirect.ts";
import { UpgradeCookies } from "../../../src/core/connection/upgrade-cookies.ts";

const refusal = (location: string | undefined, status = 302): Disconnect => ({ reason: "status", status, location });
const allowing = (...redirects: string[]) => ({ redirects, allow_plaintext: false });

describe("a redirect of the upgrade", () => {
  const from = "wss://a.example/feed?key=1";
  const judged = (location: string, ...hosts: string[]) =>
    redirectOf(refusal(location), from, 0, allowing("a.example", ...hosts));

  test("is followed to a listed host, by its WebSocket address, without the query of url", () => {
    assert.deepEqual(judged("/other"), { url: "wss://a.example/other" });
    assert.deepEqual(judged("https://b.example/x?y=1#z", "b.example"), { url: "wss://b.example/x?y=1" });
    assert.deepEqual(judged("wss://c.b.example:8443/", "*.b.example:8443"), { url: "wss://c.b.example:8443/" });
  });

  test("is not followed to another host, out of TLS, with credentials, or to what is no address", () => {
    assert.deepEqual(judged("https://b.example/"), { why: "b.example is not among its hosts" });
    assert.deepEqual(judged("http://a.example/"), { why: "ws://a.example would leave TLS" });
    assert.deepEqual(judged("https://me:you@a.example/"), { why: "wss://a.example has credentials in it" });
    assert.deepEqual(judged("ftp://a.example/"), { why: "it is not a ws:// or wss:// address" });
    assert.deepEqual(judged("https://"), { why: "it is not a URL" });
  });

  test("is one by its status and its location alone, and not more than five times", () => {
    for (const status of [200, 300, 304, 401, 503])
      assert.equal(redirectOf(refusal("/x", status), from, 0, allowing("a.example")), undefined);
    assert.equal(redirectOf(refusal(undefined), from, 0, allowing("a.example")), undefined);
    assert.equal(redirectOf({ reason: "dns", detail: "" }, from, 0, allowing("a.example")), undefined);
    assert.ok("url" in (redirectOf(refusal("/x"), from, REDIRECTS_MAX - 1, allowing("a.example")) ?? {}));
    assert.deepEqual(redirectOf(refusal("/x"), from, REDIRECTS_MAX, allowing("a.example")), {
      why: "it is the last of 6 in a row",
    });
  });
});

describe("cookies of the upgrade", () => {
  const url = "wss://a.example/feed/1";
  const cookies = (...lines: string[]) => {
    const made = new UpgradeCookies();
    made.take(url, lines, 1_000);
    return made;
  };

  test("are sent to the host that has set them, below their path", () => {
    const made = cookies("route=one; Path=/; HttpOnly", "b=2; path=/feed", "c=3; Path=/fee", "d=4; Path=/feed/1/");
    assert.equal(made.headerFor(url, 1_000), "b=2; route=one", "the longest path first");
    assert.equal(made.headerFor("wss://a.example/feed", 1_000), "b=2; route=one");
    assert.equal(made.headerFor("wss://a.example:8443/feed/1", 1_000), undefined);
    assert.equal(made.headerFor("wss://b.example/feed/1", 1_000), undefined);
    assert.deepEqual(made.values, ["one", "2", "3", "4"]);
  });

  test("leave TLS only without Secure, and end with their time", () => {
    const made = cookies("s=1; Secure", "t=1; Max-Age=2; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "u=1; Expires=never");
    assert.equal(made.headerFor(url, 2_999), "s=1; t=1; u=1");
    assert.equal(made.headerFor(url, 3_000), "s=1; u=1");
    assert.equal(made.headerFor("ws://a.example/feed", 1_000), "t=1; u=1");
    assert.equal(made.headerFor("ws://a.example/", 1_000), undefined, "without a path they stay in their folder");
    made.take(url, ["s=; Max-Age=0", "u=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], 1_000);
    assert.equal(made.headerFor(url, 1_000), "t=1");
  });

  test("have the path of their folder, their last attributes, and dates in UTC, as RFC 6265 says", (t) => {
    const made = new UpgradeCookies();
    made.take("wss://a.example/feed", ["a=1", "b=1; Path=/x; Path=/feed"], 1_000);
    assert.equal(made.headerFor("wss://a.example/other", 1_000), "a=1");
    assert.equal(made.headerFor("wss://a.example/feed", 1_000), "b=1; a=1");
    const { TZ } = process.env;
    t.after(() => {
      if (TZ === undefined) delete process.env.TZ;
      else process.env.TZ = TZ;
    });
    process.env.TZ = "America/New_York";
    const at = Date.UTC(2026, 9, 21, 7, 28);
    const forms = ["Wed, 21 Oct 2026 07:28:00 GMT", "Wed Oct 21 07:28:00 2026", "Wednesday, 21-Oct-26 07:28:00 GMT"];
    for (const form of forms) {
      made.take("wss://b.example/", [`c=1; Expires=${form}`], 1_000);
      assert.equal(made.headerFor("wss://b.example/", at - 1), "c=1", form);
      assert.equal(made.headerFor("wss://b.example/", at), undefined, form);
    }
  });

  test("are replaced by name, bounded, and none that could end a header", () => {
    const made = cookies("a=1", "a=2", "bad name=1", "no-value", "e=\r\nX: y", `long=${"x".repeat(4_096)}`);
    assert.equal(made.headerFor(url, 1_000), "a=2");
    made.take(
      url,
      Array.from({ length: 40 }, (_, n) => `n${n}=${n}`),
      1_000,
    );
    assert.deepEqual([made.values.length, made.values.at(0), made.values.at(-1)], [16, "24", "39"]);
    made.forget("wss://b.example/");
    assert.equal(made.values.length, 16);
    made.forget(url);
    assert.deepEqual(made.values, []);
  });
});
