/** The check of commit messages, run in repositories made for it. */
import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { type TestContext, test } from "node:test";
import { lacks } from "./real/programs.ts";
import { type Ran, run } from "./support/child.ts";
import { root, runtime } from "./support/root.ts";

const BODY = "\n\nBecause of a reason.";
/** The configuration of a person or a machine must not decide: it may demand signatures, for one. */
const env = {
  ...process.env,
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_SYSTEM: "/dev/null",
  GIT_AUTHOR_NAME: "someone",
  GIT_AUTHOR_EMAIL: "someone@example.org",
  GIT_COMMITTER_NAME: "someone",
  GIT_COMMITTER_EMAIL: "someone@example.org",
};
const skip = lacks("git");

interface Repository {
  readonly folder: string;
  git(...args: readonly string[]): Promise<Ran>;
  commit(message: string): Promise<Ran>;
  check(...args: readonly string[]): Promise<Ran>;
}

/** A folder with the script in it, and with a repository unless told otherwise. */
async function repository(t: TestContext, { git: withGit = true } = {}): Promise<Repository> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "sidesocket-commits-")));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, "scripts"));
  await cp(join(root, "scripts", "commits.mjs"), join(folder, "scripts", "commits.mjs"));
  const git = (...args: readonly string[]) => run({ command: "git", args, cwd: folder, env });
  const script = join(folder, "scripts", "commits.mjs");
  const deno = runtime === "deno" ? ["run", "--allow-all", "--no-prompt"] : [];
  const here: Repository = {
    folder,
    git,
    commit: (message) => git("commit", "--quiet", "--allow-empty", "--message", message),
    check: (...args) => run({ command: process.execPath, args: [...deno, script, ...args], cwd: folder, env }),
  };
  if (withGit) {
    assert.equal((await git("init", "--quiet", "--initial-branch", "main")).code, 0);
    assert.equal((await here.commit(`start: make the first commit${BODY}`)).code, 0);
  }
  return here;
}

const broken: readonly [message: string, problem: RegExp][] = [
  [`A sentence of any length${BODY}`, /not of the form/],
  [`exchange: Fail early${BODY}`, /"Fail" is no verb in lower case/],
  [`exchange: failed requests early${BODY}`, /"failed" is not imperative/],
  [`exchange: failing requests early${BODY}`, /"failing" is not imperative/],
  [`exchange: fails requests early${BODY}`, /"fails" is not imperative/],
  [`exchange: fail ${"x".repeat(58)}${BODY}`, /longer than 72/],
  [`exchange: fail requests early.${BODY}`, /full stop/],
  ["exchange: fail requests early", /body is empty/],
  ["exchange: fail requests early\nBecause of a reason.", /second line is not empty/],
];

const good = [
  `exchange: fail ${"x".repeat(57)}${BODY}`,
  `http, push: pass the deadline on${BODY}`,
  `ci/run: process the history${BODY}`,
  `docs: seed the list of threats${BODY}`,
];

test("a message that breaks a rule fails the check, and the problem is named", { skip }, async (t) => {
  const { commit, check } = await repository(t);
  for (const [message, problem] of broken) {
    await commit(message);
    const { code, stdout } = await check("HEAD~1..HEAD");
    assert.match(stdout, problem, message);
    assert.match(stdout, /1 checked/);
    assert.equal(code, 1, stdout);
  }
});

test("messages that keep the rules pass, and merge commits are exempt", { skip }, async (t) => {
  const { git, commit, check } = await repository(t);
  for (const message of good) await commit(message);
  await git("checkout", "--quiet", "-b", "side", "HEAD~1");
  await commit(`push: sign each batch${BODY}`);
  await git("checkout", "--quiet", "main");
  assert.equal((await git("merge", "--quiet", "--no-ff", "--message", "Merge branch 'side'", "side")).code, 0);
  const { code, stdout } = await check("HEAD~5..HEAD");
  assert.match(stdout, /: 5 checked, 0 problems/);
  assert.equal(code, 0, stdout);
});

test("a history that was squashed into one commit is reported on, and does not fail", { skip }, async (t) => {
  const { git, check } = await repository(t);
  await git("commit", "--quiet", "--allow-empty", "--amend", "--message", "Everything so far");
  const { code, stdout } = await check();
  assert.match(stdout, /"Everything so far": the subject is not of the form/);
  assert.match(stdout, /is not in this clone; 1 commits? were checked/);
  assert.equal(code, 0, stdout);
});

test("a range that is not in the clone is refused", { skip }, async (t) => {
  const { check } = await repository(t);
  const { code, stderr } = await check("nothing..HEAD");
  assert.match(stderr, /"nothing\.\.HEAD"/);
  assert.equal(code, 1);
});

test("without a repository nothing is checked, also inside somebody else's repository", { skip }, async (t) => {
  const alone = await repository(t, { git: false });
  const outer = await repository(t);
  await mkdir(join(outer.folder, "inner", "scripts"), { recursive: true });
  const inner = join(outer.folder, "inner", "scripts", "commits.mjs");
  await cp(join(root, "scripts", "commits.mjs"), inner);
  const deno = runtime === "deno" ? ["run", "--allow-all", "--no-prompt"] : [];
  for (const { code, stdout } of [
    await alone.check(),
    await run({ command: process.execPath, args: [...deno, inner], env }),
  ]) {
    assert.match(stdout, /nothing was checked/);
    assert.equal(code, 0);
  }
});
