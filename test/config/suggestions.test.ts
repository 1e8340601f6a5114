/** Suggestions for mistyped keys. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { closest, meant } from "../../src/config/suggestions.ts";

const KNOWN = ["url", "headers", "limits", "limits.in_flight", "limits.pace", "connect_within", "keepalive"];

test("a key is found by a few wrong letters, by another spelling, or in another place", () => {
  const found = [
    "conect_within",
    "connectWithin",
    "connect-within",
    "haeders",
    "limit",
    "in_flight",
    "inFlight",
    "uri",
    "ulr",
  ];
  const expected = [
    ...["connect_within", "connect_within", "connect_within", "headers", "limits", "limits.in_flight"],
    ...["limits.in_flight", "url", "url"],
  ];
  assert.deepEqual(
    found.map((key) => closest(key, KNOWN)),
    expected,
  );
});

test("a key that is near none gets the list of those that there are", () => {
  assert.equal(closest("pulse", KNOWN), undefined);
  assert.equal(meant("pulse", KNOWN), "known here: url, headers, limits, connect_within, keepalive");
  assert.equal(
    meant(
      "zz",
      Array.from({ length: 20 }, (_, n) => `key${n}`),
    ).endsWith("key11, …"),
    true,
  );
});

test("a known key with one letter changed, dropped, added or swapped is found again", () => {
  const at = fc.nat();
  fc.assert(
    fc.property(fc.constantFrom("connect_within", "keepalive", "subscriptions"), fc.nat(3), at, (key, how, seed) => {
      const place = seed % (key.length - 1);
      const [head, here, next, rest] = [key.slice(0, place), key[place], key[place + 1], key.slice(place + 2)];
      const typos = [
        `${head}q${next}${rest}`,
        `${head}${next}${rest}`,
        `${head}${here}q${next}${rest}`,
        `${head}${next}${here}${rest}`,
      ];
      assert.equal(closest(typos[how] ?? "", ["connect_within", "keepalive", "subscriptions"]), key);
    }),
  );
});
