/**
 * Dialect of the Language Server Protocol over WebSockets, one message in each frame
 * (https://microsoft.github.io/language-server-protocol).
 */

import { withAnswers } from "../answers.ts";
import { matchesFrame } from "../condition.ts";
import type { Dialect } from "../dialect.ts";
import { checkedJson, textOf } from "../json-message.ts";
import { JSON_OBJECT, objectOf } from "../json-option.ts";
import { locate } from "../json-place.ts";
import { jsonRpc, replyTo } from "../json-rpc.ts";
import { elements, kindOf, stringAt } from "../json-text.ts";
import type { FarewellStep, GreetingStep } from "../preset.ts";
import type { Body, Decoded, Protocol } from "../protocol.ts";

type ServerSettings = Readonly<Record<string, unknown>>;

const INITIALIZE = "initialize";
/** Some servers start a runtime of their own, or read a workspace, before they answer. */
const INITIALIZE_MS = 30_000;

const SHUTDOWN = "shutdown";
/** A server may write to disk before it agrees to end. */
const SHUTDOWN_MS = 5_000;

const CONFIGURATION = "workspace/configuration";
/** The most settings that one request may ask for: each is a copy. */
const ITEMS_MAX = 1_000;
/** The most characters of settings in one reply. */
const REPLY_MAX = 256 * 1024;

/** Requests of the server to which there is one answer: we register nothing, and show no progress. */
const ACKNOWLEDGED = ["client/registerCapability", "client/unregisterCapability", "window/workDoneProgress/create"];

const notification = (method: string, params: object): object => ({ jsonrpc: "2.0", method, params });

/** The requests and replies of a server, without the answers. */
const requests: Protocol = {
  ...jsonRpc,
  cancel: (id) => JSON.stringify(notification("$/cancelRequest", { id })),
};

/**
 * The connection is that of a client, with all documents that it has opened. Diagnostics, progress and what the server
 * logs are messages; its requests are messages that want a reply, except those that have one answer.
 */
export const lsp: Dialect<"root" | "capabilities" | "options" | "settings"> = {
  purpose: "language servers (LSP), one message in each frame",
  start: [
    "upstreams:",
    "  default:",
    "    url: ws://127.0.0.1:3000",
    "    protocol:",
    "      preset: lsp",
    "      # root: file:///srv/project",
    '      # settings: \'{"python":{"analysis":{"typeCheckingMode":"strict"}}}\'   # as the server asks for them',
    "      # options: '{\"provideFormatter\":true}'   # initializationOptions, as the server documents them",
    '      # capabilities: \'{"textDocument":{"hover":{"contentFormat":["markdown"]}}}\'',
  ],
  options: {
    root: "The URI of the folder of the workspace; by default there is none.",
    capabilities: "The capabilities of the client, as a JSON object, in the place of the preset's.",
    options: "The initializationOptions, as a JSON object.",
    settings: "The settings, as a JSON object: the server gets the parts that it asks for.",
  },
  forms: {
    root: { pattern: /^[a-z][a-z0-9+.-]*:/i, must: "must be a URI, such as file:///srv/project" },
    capabilities: JSON_OBJECT,
    options: JSON_OBJECT,
    settings: JSON_OBJECT,
  },
  build: ({ root, capabilities, options, settings }) => {
    const values = objectOf(settings);
    const protocol = withAnswers(
      requests,
      ACKNOWLEDGED.map((method) => ({
        when: { match: { "/method": method }, has: ["/id"] },
        send: { jsonrpc: "2.0", result: null },
        copy: { "/id": "/id" },
      })),
    );
    return {
      protocol: values ? withSettings(protocol, values) : protocol,
      greeting: [
        initialization({
          processId: null,
          clientInfo: { name: "sidesocket" },
          rootUri: root ?? null,
          workspaceFolders: root === undefined ? null : [{ uri: root, name: root }],
          capabilities: objectOf(capabilities) ?? ownCapabilities(values !== undefined),
          ...(options !== undefined && { initializationOptions: objectOf(options) }),
        }),
        { send: notification("initialized", {}) },
        ...(values ? [{ send: notification("workspace/didChangeConfiguration", { settings: values }) }] : []),
      ],
      farewell: FAREWELL,
    };
  },
};

/** The end of a server in order, as its protocol wants it: without these it counts as one whose client has crashed. */
const FAREWELL: readonly FarewellStep[] = [
  {
    send: { jsonrpc: "2.0", id: SHUTDOWN, method: SHUTDOWN },
    expect: { match: { "/id": SHUTDOWN }, within: SHUTDOWN_MS },
  },
  { send: { jsonrpc: "2.0", method: "exit" } },
];

/** The capabilities of the preset itself; callers may have more. */
function ownCapabilities(configuration: boolean): object {
  return {
    workspace: { configuration },
    window: { workDoneProgress: true },
    textDocument: { publishDiagnostics: {} },
  };
}

function initialization(params: object): GreetingStep {
  const match = { "/id": INITIALIZE };
  return {
    send: { jsonrpc: "2.0", id: INITIALIZE, method: INITIALIZE, params },
    expect: { match, has: ["/result"], reject: { match, has: ["/error"] }, within: INITIALIZE_MS },
  };
}

/** Lets the protocol answer the server's requests for settings. */
function withSettings(protocol: Protocol, settings: ServerSettings): Protocol {
  return {
    ...protocol,
    decode(frame) {
      const decoded = protocol.decode(frame);
      const sections = sectionsIn(frame, decoded);
      if (sections === undefined) return decoded;
      const reply = replyWith(settings, sections);
      return reply === undefined ? decoded : { type: "answer", frame: replyTo(frame, reply) };
    },
  };
}

/** The reply with the part for each section; undefined if it is too long to be made at once. */
function replyWith(settings: ServerSettings, sections: readonly (string | undefined)[]): string | undefined {
  const texts = new Map<string | undefined, string>();
  let length = 0;
  for (const section of sections) {
    const text = texts.get(section) ?? JSON.stringify(partOf(settings, section));
    texts.set(section, text);
    length += text.length;
    if (length > REPLY_MAX) return undefined;
  }
  return `{"result":[${sections.map((section) => texts.get(section)).join(",")}]}`;
}

/** The sections that a frame asks for, each undefined for all settings; undefined if the frame is no such request. */
function sectionsIn(frame: Body, decoded: Decoded): readonly (string | undefined)[] | undefined {
  const text = decoded.type === "message" && decoded.wantsReply ? textOf(frame) : undefined;
  if (text === undefined || !matchesFrame(text, { match: { "/method": CONFIGURATION } })) return undefined;
  const items = locate(text, checkedJson(text).root, ["params", "items"]);
  if (items.type !== "found" || kindOf(text, items.value) !== "array") return undefined;
  const sections: (string | undefined)[] = [];
  for (const item of elements(text, items.value)) {
    if (sections.length === ITEMS_MAX) return undefined;
    const section = locate(text, item, ["section"]);
    const isText = section.type === "found" && kindOf(text, section.value) === "string";
    sections.push(isText ? stringAt(text, section.value) : undefined);
  }
  return sections;
}

/** The part of the settings that a section such as `python.analysis` names; null if there is none. */
function partOf(settings: ServerSettings, section = ""): unknown {
  if (section === "") return settings;
  let value: unknown = settings;
  for (const key of section.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return null;
    value = (value as ServerSettings)[key];
  }
  return value;
}
