/**
 * Rules of the `text` preset, which tell replies from other frames by patterns.
 *
 * Import this module only when a configuration uses it: the library for its patterns is slow to load.
 */

import { concatenated } from "./bytes.ts";
import { FrameRules, rulesOf } from "./frame-rules.ts";
import { Pattern } from "./pattern.ts";
import type { Body, Protocol } from "./protocol.ts";
import { isTemplate, type TextOptions } from "./text.ts";

/** An invalid pattern. `path` leads to it from the options. */
export interface Fault {
  readonly path: readonly (string | number)[];
  readonly what: string;
}

/** Returns the faults of all patterns. */
export function faultsOf({ id, reply, skip = [], final = [], errors }: TextOptions): readonly Fault[] {
  const finalPath = "all_of" in final ? ["final", "all_of"] : ["final"];
  const places: (readonly [path: Fault["path"], text: string | undefined, names?: true])[] = [
    [["id", "out"], id && !isTemplate(id.out) ? id.out : undefined, true],
    [["id", "in"], id?.in, true],
    [["reply"], reply],
    ...skip.map((text, index) => [["skip", index], text] as const),
    ...rulesOf(final).map((text, index) => [[...finalPath, index], text] as const),
    [["errors", "when"], errors?.when],
  ];
  return places.flatMap(([path, text, names]) => {
    const what = text === undefined ? undefined : faultIn(text, names === true);
    return what === undefined ? [] : [{ path, what }];
  });
}

function faultIn(text: string, names: boolean): string | undefined {
  try {
    const pattern = new Pattern(text);
    return names && !pattern.has("id") ? "must have a group (?<id>…) around the id" : undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Throws for the first invalid pattern. */
export function demandPatterns(options: TextOptions): void {
  const [fault] = faultsOf(options);
  if (fault) throw new Error(`${fault.path.join(".")} ${fault.what}`);
}

/** Compiles the rules for frames, as `json` has them. Bytes that are not text match no pattern. */
export function rulesFrom({ reply, skip, final, collect }: TextOptions): FrameRules<string | undefined> {
  const tests = final && rulesOf(final).map((text) => anyOf([text]));
  return new FrameRules({
    isReply: reply === undefined ? undefined : anyOf([reply]),
    isSkipped: skip && anyOf(skip),
    final: tests && final && "all_of" in final ? { all_of: tests } : tests,
    collects: collect !== undefined,
  });
}

function anyOf(texts: readonly string[]): (text: string | undefined) => boolean {
  const patterns = texts.map((text) => new Pattern(text));
  return (text) => text !== undefined && patterns.some((pattern) => pattern.test(text));
}

/** The members of a protocol whose replies may have several frames, and its `gather`. */
export function several({ collect }: TextOptions): Pick<Protocol, "streams" | "maxFrames"> {
  return { streams: collect !== undefined, maxFrames: collect?.frames };
}

/** Joins the frames of a reply: text by line breaks, anything with bytes in it as it is. */
export function gather(frames: readonly Body[]): Body {
  const texts = frames.filter((frame) => typeof frame === "string");
  return texts.length === frames.length ? texts.join("\n") : concatenated(frames);
}
