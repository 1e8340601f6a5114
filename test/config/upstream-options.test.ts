/** The options of the library: their types are those of the schema, and every key has a description. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { z } from "zod";
import { configJsonSchema } from "../../src/config/json-schema.ts";
import type { configSchema } from "../../src/config/schema.ts";
import type { upstreamSchema } from "../../src/config/upstream-settings.ts";
import type { SidecarOptions } from "../../src/index.ts";
import type { ShutdownOptions, UpstreamOptions } from "../../src/upstream-options.ts";

/** A type with its lists and members writable, as zod infers them. */
type Writable<Type> = Type extends string | number | boolean | null | undefined
  ? Type
  : Type extends readonly (infer Item)[]
    ? Writable<Item>[]
    : { -readonly [Key in keyof Type]: Writable<Type[Key]> };

type Same<One, Other> = [One] extends [Other] ? ([Other] extends [One] ? true : false) : false;

test("the types of the options are those that the schema takes", () => {
  const upstream: Same<Writable<UpstreamOptions>, Writable<Omit<z.input<typeof upstreamSchema>, "webhooks">>> = true;
  const shutdown: Same<Writable<ShutdownOptions>, NonNullable<z.input<typeof configSchema>["shutdown"]>> = true;
  assert.ok(upstream && shutdown);
});

test("options of a wrong type do not compile", () => {
  const url = "wss://example.org/";
  const wrong: readonly SidecarOptions[] = [
    // @ts-expect-error a number is no text
    { url, limits: { in_flight: "ten" } },
    // @ts-expect-error a duration has a unit
    { url, connect_within: "10" },
    // @ts-expect-error a size has a unit
    { url, limits: { request_bytes: "1 meg" } },
    // @ts-expect-error nested keys are known
    { url, keepalive: { pong: "5s" } },
    // @ts-expect-error a class is one of three
    { url, reconnect: { codes: { 4000: "never" } } },
    // @ts-expect-error the greeting's steps are typed
    { url, greeting: [{ expect: { equals: 1 } }] },
    // @ts-expect-error a preset's options are its own
    { url, protocol: { preset: "obs", token: "t" } },
    // @ts-expect-error only the service pushes messages
    { url, webhooks: [] },
    // @ts-expect-error a bound of the exit is a duration
    { url, shutdown: { drain: 3 } },
  ];
  assert.equal(wrong.length, 9);
});

test("every key of the configuration file has a description", () => {
  const missing: string[] = [];
  const visit = (schema: unknown, path: string): void => {
    if (typeof schema !== "object" || schema === null) return;
    for (const [key, inner] of Object.entries(schema)) {
      if (key === "properties") {
        for (const [name, property] of Object.entries(inner as Record<string, { description?: string }>)) {
          const where = `${path}.${name}`;
          // The key that tells presets apart says itself what it is.
          if (property.description === undefined && name !== "preset") missing.push(where);
        }
      }
      visit(inner, key === "properties" ? path : `${path}.${key}`);
    }
  };
  visit(configJsonSchema(), "");
  assert.deepEqual(missing, []);
});
