/** The hosts that are reached without the proxy. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isExcepted } from "../../../src/core/connection/proxy-exceptions.ts";

const ROWS: readonly (readonly [host: string, pattern: string, isExcepted: boolean])[] = [
  ["example.org:443", "example.org", true],
  ["a.example.org:443", "example.org", true],
  ["a.example.org:443", ".example.org", true],
  ["example.org:443", ".example.org", true],
  ["a.example.org:443", "*.example.org", true],
  ["badexample.org:443", "example.org", false],
  ["example.org:443", "a.example.org", false],
  ["EXAMPLE.org.:443", "Example.ORG", true],
  ["example.org:443", "example.org:443", true],
  ["example.org:80", "example.org:443", false],
  ["example.org:80", "*", true],
  ["example.org:80", ".", false],
  ["127.0.0.1:80", "127.0.0.0/8", true],
  ["128.0.0.1:80", "127.0.0.0/8", false],
  ["10.1.2.3:80", "10.1.2.3", true],
  ["10.1.2.3:80", "10.1.0.0/16", true],
  ["10.2.2.3:80", "10.1.0.0/16", false],
  ["10.2.2.3:80", "0.0.0.0/0", true],
  ["10.2.2.3:80", "10.0.0.0/33", false],
  ["10.2.2.3:80", "10.0.0.0/", false],
  ["ten.example:80", "10.0.0.0/8", false],
  ["[::1]:80", "[::1]", true],
  ["[::1]:80", "::1", true],
  ["[::1]:80", "[::1]:81", false],
  ["[2001:db8::1]:80", "2001:db8::1", true],
];

for (const [host, pattern, expected] of ROWS) {
  test(`${host} is ${expected ? "" : "not "}excepted by ${pattern}`, () => {
    const [, hostname = "", port] = /^\[?(.*?)\]?:(\d+)$/.exec(host) ?? [];
    assert.equal(isExcepted({ hostname, port: Number(port) }, ["other.example", pattern]), expected);
  });
}
