/** Schemas of ids in JSON messages: their places, and their kinds. */

import * as z from "zod";
import { ID_KINDS } from "../protocols/id-kinds.ts";
import { condition, memberPointer } from "./condition-settings.ts";

const PLACE_FORM = "must be a JSON pointer to a member, such as /id or /1, or { at: …, when: … }, or a list of these";

const place = z.union([
  memberPointer,
  z
    .strictObject({
      at: memberPointer.describe("The JSON pointer of the id."),
      when: condition.optional().describe("The messages that have an id there. By default all."),
    })
    .meta({ id: "IdPlace", description: "A place of ids in some messages." }),
]);

/** The most places of ids: each is looked for in every frame. */
const PLACES_MAX = 16;

const places = z.union(
  [
    ...place.options,
    z
      .array(place, { error: PLACE_FORM })
      .min(1, "must have at least one place")
      .max(PLACES_MAX, `must have at most ${PLACES_MAX} places`),
  ],
  { error: PLACE_FORM },
);

export const jsonId = z
  .strictObject({
    out: places
      .prefault("/id")
      .describe(
        "The place of the id in requests: a JSON pointer, or several, of which the first that is there counts.",
      ),
    in: places
      .prefault("/id")
      .describe("The place of the id in replies: a JSON pointer, or several, of which the first that is there counts."),
    repeat: places.optional().describe("More places in requests that get the id: a JSON pointer, or several."),
    alias: places
      .optional()
      .describe(
        "The place of the upstream's own id of a reply, which a frame with our id teaches, and under which it goes on.",
      ),
    kind: z.enum(ID_KINDS).prefault("int").describe("The kind of ids."),
    prefix: z
      .string()
      .min(1, "must not be empty")
      .max(64, "must have at most 64 characters")
      .optional()
      .describe("The beginning of ids of kind string."),
    echo: z
      .array(memberPointer)
      .min(1, "must have at least one pointer")
      .max(PLACES_MAX, `must have at most ${PLACES_MAX} pointers`)
      .optional()
      .describe("More places in a reply that repeat the id, such as that of an echoed request: JSON pointers."),
  })
  .refine(({ kind, prefix }) => prefix === undefined || kind === "string", {
    path: ["prefix"],
    error: "needs kind: string",
  })
  .refine(({ kind, repeat }) => repeat === undefined || kind !== "keep", {
    path: ["repeat"],
    error: "is not needed with kind: keep: the id on the wire is the caller's",
  })
  .refine(({ kind, echo }) => echo === undefined || kind !== "keep", {
    path: ["echo"],
    error: "is not needed with kind: keep: the id on the wire is the caller's",
  });
