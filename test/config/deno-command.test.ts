/** The command that Deno needs, as it is printed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { commandFor } from "../../src/permissions/permissions.ts";

test("arguments that hold a secret are left out of the printed command", () => {
  const needs = { net: ["a:1"], read: [], write: [] };
  const shown = (...argv: string[]) => commandFor("/app/dist/main.js", needs, [], argv).split("main.js ")[1];
  for (const name of ["--upstream", "--cluster"]) {
    for (const url of ["wss://u:pw@a.example/", "nats://u:pw@a.example:4222", "tls://token@a.example"]) {
      assert.equal(shown(name, url), `${name} …`);
      assert.equal(shown(`${name}=${url}`), "…");
    }
    assert.equal(shown(name, "nats://a.example:4222"), `${name} nats://a.example:4222`);
  }
  assert.equal(shown("--upstream-header", "authorization: x"), "--upstream-header …");
});
