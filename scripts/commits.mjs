/**
 * The check of commit messages: `scope: imperative verb …` in at most 72 characters, and a body that holds the reason.
 *
 *   node scripts/commits.mjs [BASE..HEAD]
 *
 * Exits with 1 if a commit in the range breaks a rule. Merge commits are exempt. Without a repository it says that
 * nothing was checked; in a shallow or squashed clone, which lacks BASE, it only reports, because the rules may be
 * younger than the commits that are there.
 */
import { spawnSync } from "node:child_process";
import { realpathSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** The last commit before the rules: older subjects are sentences of any length, and history is not rewritten. */
const BASE = "3c69ced809e5bfb428bdc65833600bebe5519508";
/** Longer subjects are cut by `git log --oneline` on a terminal of 80 columns and by web interfaces. */
const SUBJECT_MAX = 72;
/** Endings that an imperative verb does not have, and the verbs that have them all the same. */
const NOT_IMPERATIVE = /(?:ed|ing|[^s]s)$/;
const IMPERATIVE_ALL_THE_SAME = new Set([
  "bias",
  "bring",
  "embed",
  "exceed",
  "feed",
  "focus",
  "need",
  "seed",
  "shed",
  "speed",
]);

const root = realpathSync(fileURLToPath(new URL("..", import.meta.url)));
const [range = `${BASE}..HEAD`] = process.argv.slice(2);
process.exit(main());

function main() {
  // An archive of the sources may lie inside somebody else's repository, whose commits are not ours to judge.
  const top = git("rev-parse", "--show-toplevel");
  if (top === undefined || realpathSync(top.trim()) !== root || git("rev-parse", "HEAD") === undefined) {
    console.log("commits: git finds no repository here; nothing was checked");
    return 0;
  }
  const listed = git("log", "--no-merges", "--format=%H%x00%B%x00%x00", range);
  if (listed === undefined && process.argv.length > 2) {
    console.error(`commits: git knows no range "${range}" (give BASE..HEAD, both of them commits of this clone)`);
    return 1;
  }
  const commits = (listed ?? git("log", "--no-merges", "--format=%H%x00%B%x00%x00", "HEAD"))
    .split("\0\0\n")
    .filter((entry) => entry !== "")
    .map((entry) => entry.split("\0"));
  const problems = commits.flatMap(([hash, message]) =>
    problemsOf(message).map((problem) => `${hash.slice(0, 7)} "${message.split("\n", 1)[0]}": ${problem}`),
  );
  if (problems.length > 0) console.log(problems.join("\n"));
  if (listed === undefined) {
    console.log(
      `commits: ${BASE.slice(0, 7)} is not in this clone; ${commits.length} commits were checked, for information`,
    );
    return 0;
  }
  console.log(`commits: ${commits.length} checked, ${problems.length} problems`);
  return problems.length === 0 ? 0 : 1;
}

/** One phrase for each rule that the message breaks. */
function problemsOf(message) {
  const [subject, blank = "", ...body] = message.trimEnd().split("\n");
  const problems = [];
  const verb = /^[a-z][\w./-]*(?:, ?[a-z][\w./-]*)*: (\S+)/.exec(subject)?.[1];
  if (verb === undefined) problems.push("the subject is not of the form `scope: imperative verb …`");
  else if (!/^[a-z][a-z-]*$/.test(verb)) problems.push(`"${verb}" is no verb in lower case`);
  else if (NOT_IMPERATIVE.test(verb) && !IMPERATIVE_ALL_THE_SAME.has(verb))
    problems.push(`"${verb}" is not imperative`);
  if ([...subject].length > SUBJECT_MAX) problems.push(`the subject is longer than ${SUBJECT_MAX} characters`);
  if (subject.endsWith(".")) problems.push("the subject ends with a full stop");
  if (blank !== "") problems.push("the second line is not empty");
  if (body.join("").trim() === "") problems.push("the body is empty: it holds the reason");
  return problems;
}

/** The output of git, or undefined if it failed or is not installed. */
function git(...args) {
  const { status, stdout } = spawnSync("git", args, { cwd: root, encoding: "utf8", maxBuffer: 1 << 28 });
  return status === 0 ? stdout : undefined;
}
