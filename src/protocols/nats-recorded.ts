/** Frames of the NATS client protocol in recordings: masked by their parts, and compared without names of one run. */

import { concatenated, positionOf, textFrom } from "./bytes.ts";
import { isJson, textOf } from "./json-message.ts";
import { maskFrame, maskHeaderLines, maskText } from "./masked-frame.ts";
import type { Body, Protocol, RecordedFrames } from "./protocol.ts";

/** An operation of either side: the words of its line, but for lengths, and what follows the line, if anything does. */
interface RecordedOperation {
  readonly words: readonly string[];
  readonly content?: { readonly head: Uint8Array; readonly payload: Uint8Array };
}

const WITH_CONTENT = /^H?(?:PUB|MSG)$/;
const LINE_END = "\r\n";
/** Stands for a name that is of one run only. */
const NAME = "#";

const encoder = new TextEncoder();

/** @param inbox the beginning of the subjects at which replies come; what follows it is of one run */
export function natsRecorded(inbox: string): RecordedFrames & { readonly mask: NonNullable<Protocol["mask"]> } {
  const isOfRun = (subject = "") =>
    subject.startsWith(`${inbox}.`) && /^\.[^.]+\.\d+\.(?:\d+|\*)$/.test(subject.slice(inbox.length));

  /** The words of a client's line without names, which are added to the list. */
  const unnamed = ([kind = "", ...words]: readonly string[], names: string[]): readonly string[] => {
    if (kind === "UNSUB") return [kind, NAME, ...words.slice(1)];
    const namesSid = kind === "SUB" && !isOfRun(words[0]);
    return [
      kind,
      ...words.map((word, at) => {
        const isSid = namesSid && at === words.length - 1;
        if (!isSid && !isOfRun(word)) return word;
        names.push(word);
        return NAME;
      }),
    ];
  };

  return {
    mask(frame, secrets) {
      const operations = operationsIn(frame);
      return operations ? written(operations.map((each) => masked(each, secrets))) : maskFrame(frame, secrets);
    },
    asSent(frame) {
      const operations = operationsIn(frame);
      if (!operations) return { form: frame, names: [] };
      const names: string[] = [];
      const [first, ...others] = operations.map((each) => ({ ...each, words: unnamed(each.words, names) }));
      // Those of a frame belong to its first one, which is what a caller or the greeting has sent.
      const form = { ...(first && shown(first)), with: others.map(shown) };
      return { form: JSON.stringify(form), names };
    },
    split: (frame) => operationsIn(frame)?.map((each) => written([each])) ?? [frame],
    addressee: (frame) => operationsIn(frame)?.[0]?.words.slice(1, 2).find(isOfRun),
    renamed(frame, names) {
      const [operation] = operationsIn(frame) ?? [];
      if (!operation?.content) return frame;
      const [kind = "", subject = "", sid = "", ...more] = operation.words;
      const to = isOfRun(subject) ? (names.get(subject) ?? subject) : subject;
      return written([{ ...operation, words: [kind, to, names.get(sid) ?? sid, ...more] }]);
    },
  };
}

/** Undefined for a frame that does not consist of whole operations. */
function operationsIn(frame: Body): readonly RecordedOperation[] | undefined {
  const bytes = typeof frame === "string" ? encoder.encode(frame) : frame;
  const operations: RecordedOperation[] = [];
  for (let at = 0; at < bytes.length; ) {
    const lineEnd = positionOf(bytes, "\n", at);
    if (lineEnd < 0) return undefined;
    const line = textFrom(bytes.subarray(at, lineEnd)).trim();
    const [kind = ""] = line.split(/\s/, 1);
    at = lineEnd + 1;
    if (!WITH_CONTENT.test(kind)) {
      // Besides their name these have JSON, or words for people.
      operations.push({
        words: /^(?:UN)?SUB$/.test(kind) ? line.split(/\s+/) : [kind, line.slice(kind.length).trim()],
      });
      continue;
    }
    const words = line.split(/\s+/);
    const lengths = words.splice(kind.startsWith("H") ? -2 : -1).map(Number);
    const [headSize = 0, size = headSize] = lengths.length === 1 ? [0, ...lengths] : lengths;
    const end = at + size;
    if (!(headSize <= size && end + LINE_END.length <= bytes.length)) return undefined;
    const content = { head: bytes.subarray(at, at + headSize), payload: bytes.subarray(at + headSize, end) };
    operations.push({ words, content });
    at = end + LINE_END.length;
  }
  return operations;
}

function written(operations: readonly RecordedOperation[]): Uint8Array {
  return concatenated(
    operations.flatMap(({ words, content }) => {
      if (!content) return [words.join(" ").trimEnd(), LINE_END];
      const { head, payload } = content;
      const lengths = words[0]?.startsWith("H") ? [head.length] : [];
      return [[...words, ...lengths, head.length + payload.length].join(" "), LINE_END, head, payload, LINE_END];
    }),
  );
}

function masked({ words, content }: RecordedOperation, secrets: readonly string[]): RecordedOperation {
  const mask = (bytes: Uint8Array) => {
    const hidden = maskFrame(bytes, secrets);
    return typeof hidden === "string" ? encoder.encode(hidden) : hidden;
  };
  return {
    words: words.map((word) => maskText(word, secrets)),
    ...(content && { content: { head: maskedHead(mask(content.head)), payload: mask(content.payload) } }),
  };
}

/** Each byte is a character meanwhile: one that is no UTF-8 must not show the others. */
function maskedHead(head: Uint8Array): Uint8Array {
  let text = "";
  for (const byte of head) text += String.fromCharCode(byte);
  return Uint8Array.from(maskHeaderLines(text), (character) => character.charCodeAt(0));
}

/** An operation as JSON that can be compared, in which `data` is as callers write it. */
function shown({ words, content }: RecordedOperation): object {
  const [kind, ...rest] = words.map((word) => jsonIn(word) ?? word);
  if (!content) return { operation: kind, words: rest };
  const { head, payload } = content;
  const text = textOf(payload);
  const data = text === undefined ? { base64: [...payload] } : (jsonIn(text) ?? text);
  return { operation: kind, words: rest, headers: textFrom(head), data };
}

/** An object or array that a text is. */
function jsonIn(text: string): unknown {
  return /^[[{]/.test(text) && isJson(text) ? JSON.parse(text) : undefined;
}
