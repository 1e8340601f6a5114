/** Schemas of the values that frames bring, and of what they are put into. */

import * as z from "zod";
import { condition, faultOfPlace, memberPointer, place } from "./condition-settings.ts";
import { anyJson } from "./recursive.ts";

const VALUE_NAME = /^[A-Za-z_]\w{0,63}$/;

/** Values that are taken out of frames, by name. */
export const capture = z
  .array(
    z
      .strictObject({
        when: condition.describe("The frames that bring the values."),
        values: z
          .record(
            z.string().regex(VALUE_NAME, "must be a name of letters, digits and _, at most 64, such as session"),
            place.nullable(),
          )
          .refine((all) => Object.keys(all).length > 0, "must have at least one value")
          .describe("The places of the values, by name: JSON pointers, or groups ($GROUP); null forgets the value."),
        keep: z.boolean().optional().describe("True if the next connection begins with them."),
        secret: z.boolean().optional().describe("True if they must not be shown."),
      })
      .superRefine(({ when, values }, context) => {
        for (const [name, at] of Object.entries(values)) {
          const message = at === null ? undefined : faultOfPlace(at, when.text);
          if (message !== undefined) context.addIssue({ code: "custom", path: ["values", name], message });
        }
      })
      .meta({ id: "Capture", description: "Values that frames of the upstream bring." }),
  )
  .max(100, "must have at most 100 rules");

/** Values that are put into every message of a caller. */
export const additions = z
  .record(memberPointer, anyJson())
  .describe(
    "Values that are put into every message of a caller, by JSON pointer, as by `add` of JSON Patch (RFC 6902).",
  );
