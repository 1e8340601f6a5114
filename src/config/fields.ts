/** Schemas of fields that several parts of the configuration have. */

import * as z from "zod";
import { HEADER_NAME, HEADER_VALUE, RESERVED_HEADER } from "./wire.ts";

export const unique = (items: readonly string[]): boolean => new Set(items).size === items.length;

export const headers = z
  .record(
    z
      .string()
      .regex(HEADER_NAME, "must be a header name: letters, digits and hyphens")
      .refine((name) => !RESERVED_HEADER.test(name), "is reserved for the handshake (see subprotocols)"),
    z.string().regex(HEADER_VALUE, "must be one line of Latin-1 text, without control characters"),
  )
  .refine(
    (all) => unique(Object.keys(all).map((name) => name.toLowerCase())),
    "has the same header twice, in whatever case: leave one out",
  );

/** A host that an upstream may name: `*.` stands for one or more labels before at least two. */
const NAMED_HOST = /^(?:(?:\*\.[\w-]+\.)?[\w.-]+|\[[\da-f:]+\])(?::\d{1,5})?$/;

export const namedHost = z
  .string()
  .toLowerCase()
  .regex(NAMED_HOST, "must be a host such as example.org, example.org:8443 or *.example.org");

export const subscriptionName = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,64}$/, "must be a name of 1 to 64 letters, digits, _, . or -");
