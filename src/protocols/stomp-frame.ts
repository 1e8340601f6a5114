/** Frames of STOMP 1.1 and 1.2 (https://stomp.github.io/stomp-specification-1.2.html): text to parts and back. */

export interface StompFrame {
  readonly command: string;
  /** Of several headers with one name, the first counts. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** The character that ends a frame. */
const NUL = "\0";

const COMMAND = /^[A-Z]+$/;

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ["\\", "\\\\"],
  ["\r", "\\r"],
  ["\n", "\\n"],
  [":", "\\c"],
]);
const UNESCAPES: ReadonlyMap<string, string> = new Map(Array.from(ESCAPES, ([plain, escaped]) => [escaped, plain]));

/** Headers of CONNECT and CONNECTED are not escaped, for the sake of STOMP 1.0. */
const isPlain = (command: string): boolean => command.startsWith("CONNECT");

export function writeFrame({ command, headers, body }: StompFrame): string {
  const escaped = (text: string) =>
    isPlain(command) ? text : text.replace(/[\\\r\n:]/g, (each) => ESCAPES.get(each) ?? each);
  const lines = Array.from(headers, ([name, value]) => `${escaped(name)}:${escaped(value)}\n`);
  return `${command}\n${lines.join("")}\n${body}${NUL}`;
}

/**
 * Takes a text apart into its frames. Line ends between frames are heartbeats: a text of nothing else has no frame.
 * Returns the reason if it is not STOMP.
 */
export function readFrames(text: string): readonly StompFrame[] | { readonly why: string } {
  const frames: StompFrame[] = [];
  for (let at = afterLineEnds(text, 0); at < text.length; ) {
    const read = readFrame(text, at);
    if ("why" in read) return read;
    frames.push(read.frame);
    at = afterLineEnds(text, read.end);
  }
  return frames;
}

function readFrame(text: string, start: number): { frame: StompFrame; end: number } | { readonly why: string } {
  const head = /\r?\n\r?\n/g;
  head.lastIndex = start;
  const blank = head.exec(text);
  if (blank === null) return { why: "the frame has no end of its headers" };
  const [command = "", ...lines] = text.slice(start, blank.index).split(/\r?\n/);
  if (!COMMAND.test(command)) return { why: "the frame has no command" };
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon < 0) return { why: "a header has no colon" };
    const name = unescaped(line.slice(0, colon), command);
    if (!headers.has(name)) headers.set(name, unescaped(line.slice(colon + 1), command));
  }
  const bodyAt = blank.index + blank[0].length;
  const end = endOf(text, bodyAt, headers.get("content-length"));
  if (text.charAt(end) !== NUL) return { why: "the frame does not end with NUL" };
  return { frame: { command, headers, body: text.slice(bodyAt, end) }, end: end + 1 };
}

/** The place of the NUL behind a body. One with a length may have others within. */
function endOf(text: string, start: number, contentLength: string | undefined): number {
  const first = text.indexOf(NUL, start);
  if (contentLength === undefined || !/^\d+$/.test(contentLength)) return first;
  // The first one ends the frame, unless the length says that more follows.
  return Math.max(first, placeBehind(text, start, Number(contentLength)));
}

/** The place behind so many bytes of UTF-8: no more of the text is looked at. */
function placeBehind(text: string, start: number, bytes: number): number {
  let at = start;
  for (let left = bytes; left > 0 && at < text.length; ) {
    const code = text.codePointAt(at) ?? 0;
    left -= code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    at += code < 0x10000 ? 1 : 2;
  }
  return at;
}

function unescaped(text: string, command: string): string {
  return isPlain(command) ? text : text.replace(/\\[\\rnc]/g, (each) => UNESCAPES.get(each) ?? each);
}

function afterLineEnds(text: string, start: number): number {
  let at = start;
  while (text.charAt(at) === "\n" || text.charAt(at) === "\r") at++;
  return at;
}
