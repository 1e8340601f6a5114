/** The frames of greetings, heartbeats and answers that the protocol can never make sense of. */

import { type AnswerRule, sampleAnswer } from "./answers.ts";
import { readFrame, textOf } from "./json-message.ts";
import type { Protocol } from "./protocol.ts";
import { ID, messageText, unsendable } from "./subscription-request.ts";

/** The settings that have such frames. */
interface Configured {
  readonly greeting: readonly { readonly send?: unknown }[];
  readonly keepalive: { readonly heartbeat: { readonly send: unknown } | null };
  readonly protocol: string | object;
}

interface ConfiguredFault {
  readonly path: readonly (string | number)[];
  readonly what: string;
}

/** Every fault of the frames that the configuration sends, its subscriptions included. */
export function faultsOfFrames(protocol: Protocol, settings: Configured & Subscribed): readonly ConfiguredFault[] {
  const subscriptions = unsendable(protocol, settings.subscriptions);
  return [
    ...configuredFaults(protocol, settings),
    ...subscriptions.map(({ path, what }) => ({ path: ["subscriptions", ...path], what })),
  ];
}

interface Subscribed {
  readonly subscriptions: Parameters<typeof unsendable>[1];
}

/**
 * Checks each frame once, as the protocol will send it. Most are free in form: an upstream of JSON may well want the
 * text `ping`, and a login that is no JSON-RPC.
 */
function configuredFaults(
  protocol: Pick<Protocol, "accepts" | "adopt" | "fault">,
  settings: Configured,
): readonly ConfiguredFault[] {
  return framesOf(settings).flatMap(({ path, send }) => {
    const text = messageText(send);
    const what = faultOf(protocol, text);
    return what === undefined ? [] : [{ path, what: `can never work: ${what}` }];
  });
}

function framesOf({ greeting, keepalive: { heartbeat }, protocol }: Configured) {
  const { answers = [] } = (typeof protocol === "object" ? protocol : {}) as {
    readonly answers?: readonly AnswerRule[];
  };
  return [
    ...greeting.flatMap(({ send }, at) => (send === undefined ? [] : [{ path: ["greeting", at, "send"], send }])),
    ...(heartbeat ? [{ path: ["keepalive", "heartbeat", "send"], send: heartbeat.send }] : []),
    ...answers.map((rule, at) => ({ path: ["protocol", "answers", at, "send"], send: sampleAnswer(rule) })),
  ];
}

function faultOf({ accepts, adopt, fault }: Pick<Protocol, "accepts" | "adopt" | "fault">, text: string) {
  const json = readFrame(text);
  if (accepts === "json" && "why" in json && /^\s*[[{]/.test(text)) return `it is not JSON: ${json.why}`;
  const onTheWire = textOf(adopt?.(text, 0)?.frame ?? text) ?? "";
  const hasId = "why" in json ? onTheWire.includes(ID) : onTheWire.includes(`"${ID}"`);
  if (hasId) return `${ID} stands where this protocol has no id, and would go out as it is written`;
  return fault?.(text);
}
