/** Schema of the answers to an upstream's own requests. */

import * as z from "zod";
import { unknownGroups } from "../protocols/answers.ts";
import { condition, memberPointer, pointer } from "./condition-settings.ts";
import { anyJson } from "./recursive.ts";
import { duration } from "./units.ts";

/** A message of the configuration. */
export const jsonValue = anyJson("must be a text, or a value to be sent as JSON");

/** A pattern that is wrong has no groups, and its own fault. */
function namesWithoutGroup(rule: Parameters<typeof unknownGroups>[0]): readonly string[] {
  try {
    return unknownGroups(rule);
  } catch {
    return [];
  }
}

const answer = z
  .strictObject({
    when: condition.describe("The requests of the upstream that are answered."),
    send: jsonValue.describe(
      "The answer: a text, sent as it is, or a value, sent as JSON; $NAME is a group (?<NAME>…) of the pattern.",
    ),
    copy: z
      .record(memberPointer, pointer)
      .optional()
      .describe("JSON pointers: place in the answer → source in the request."),
    keep: z.boolean().optional().describe("True if what is answered is a message, too."),
    after: z
      .enum(["delivered"], "must be delivered")
      .optional()
      .describe(
        "Makes the answer wait, at most for within, until a webhook or a reader has acknowledged what it answers.",
      ),
    within: duration.optional().describe("The longest wait for the delivery."),
  })
  .refine(({ after, within }) => after !== undefined || within === undefined, {
    path: ["within"],
    error: "needs after: delivered",
  })
  .refine(({ after, keep }) => after === undefined || keep !== false, {
    path: ["keep"],
    error: "must not be false: only a message can be delivered",
  })
  .refine(({ send, copy }) => copy === undefined || (typeof send === "object" && send !== null), {
    path: ["copy"],
    error: "needs a send that is a mapping",
  })
  .superRefine((rule, context) => {
    for (const name of namesWithoutGroup(rule)) {
      const message = `has $${name}, and the pattern has no group (?<${name}>…)`;
      context.addIssue({ code: "custom", path: ["send"], message });
    }
  })
  .meta({ id: "Answer", description: "A rule that answers requests of the upstream's own." });

/** The rules of a preset. */
export const answers = z.array(answer).optional().describe("Requests of the upstream's own, with our answers.");

/** True if answers of the protocol wait for a delivery. */
export function answersAfterDelivery(protocol: string | object): boolean {
  if (typeof protocol === "string" || !("answers" in protocol)) return false;
  const answers = (protocol.answers ?? []) as readonly { readonly after?: unknown }[];
  return answers.some(({ after }) => after !== undefined);
}
