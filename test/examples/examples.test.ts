/** The examples, each run by the command of its page, and the pages that lead to them and show their files. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { parse } from "yaml";
import { fencesOf } from "../real/pages/page.ts";
import { lacks, lacksPhp } from "../real/programs.ts";
import { type Ran, run } from "../support/child.ts";
import { denoPath, nodePath, root, runtime } from "../support/root.ts";
import { sideBySide } from "../support/side-by-side.ts";
import type { Cleanup } from "../support/until.ts";

const RUNTIME = runtime === "deno" ? [denoPath(), "run", "--allow-all", "--quiet"] : [nodePath()];

const read = (...path: string[]): string => readFileSync(join(root, ...path), "utf8");

interface Example {
  /** The reason if it cannot be run here. */
  readonly skip?: string | false;
  /** The whole standard output of its run. */
  readonly prints: RegExp;
  /** Lines of its standard error. */
  readonly logs?: RegExp;
}

/** The guide of each example is that of its row in `examples/README.md`. */
const EXAMPLES: Readonly<Record<string, Example>> = {
  cron: {
    skip: lacks("sh", "curl"),
    prints: /^[^\n]+\n90907\.31\nexit code 0\n[^\n]+\nexit code 4\n[^\n]+\nexit code 3\n[^\n]+\nexit code 5\n$/,
    logs: /BTC: attempt=1 code=upstream_down sent=no\n[\s\S]*BTC: attempt=\d+ code=ok sent=yes\n[\s\S]*SLOW: attempt=1 code=reply_timeout sent=maybe\n[\s\S]*BTC: attempt=1 code=no_service sent=no\n[\s\S]*BTC: attempt=1 code=cut_response sent=yes\n/,
  },
  php: {
    skip: lacksPhp(),
    prints:
      /<p>It is \d{4}-\S+Z, and the echo is hello &lt;world&gt;\.<\/p>\n[\s\S]*<p>no response \(sent: no\): .*connect.*<\/p>\n$/,
  },
  "python-feed": {
    skip: lacks("python3"),
    prints:
      /^killed once.*\nkilled twice.*\ncut off in the middle of a line\n(\d+) messages from 1 to \1, each once\n$/,
    logs: /^trying again: the response is not the service's\n/,
  },
  eventsource: {
    prints: /^cut after five readings\nsixty readings, each once, by two streams with a ticket each\n$/,
  },
  exchange: {
    prints:
      /^(?:order-\d: \w+, sent: maybe; asking the exchange\n)+(?:order-\d filled(?:, |\n)){6}ticker: a gap, away\nticker: goes on\nthe exchange: 6 orders, 2 logins, 0 violations of the limit\n$/,
  },
  "graphql-web": {
    prints:
      /^200 <li>tea: <b id="tea">4<\/b><\/li> <li>&lt;coffee&gt;: .*<\/li>\ndata: .*"price":5\}\}\}\ndata: .*"price":6\}\}\}\nthe page left, and its subscription has ended\n$/,
  },
  "realtime-ai": {
    prints:
      /^(?:Hello, caller with key-\S+\. \(completed\)\n){2}key-1: 14400 bytes of audio, its own\nkey-number-2: 14400 bytes of audio, its own\n2 connections, all closed\n$/,
  },
  "home-assistant": {
    skip: lacks("sh", "curl", "jq"),
    prints: /^before: off\nswitched: true\nevent: on\nREST command: 200, and the light is off\n$/,
  },
  library: {
    prints: /^(?:(?:awaiting|blocking|client)\.mjs\n\[ ["']hello["'] \]\ntick\n0\n){3}$/,
  },
  "library-typescript": {
    prints: /^hello and the time\nrpc_error, sent: yes, Method not found\nexit code 0\n$/,
  },
  "library-commonjs": {
    prints: /^hello\nrpc_error, sent: yes, Method not found\nexit code 0\n$/,
  },
  lambda: {
    prints:
      /^The function holds the connection:\n(200 .*"BTC".*\n200 .*"ETH".*\n)(502 \{"code":"connection_lost","sent":"maybe","retry":"now"\}\n)connections that have replied: 1\nA service holds it:\n(?:\1)400 \{"code":"payload_too_large","sent":"no","retry":"never"\}\n\2$/,
  },
};

/** The files to deploy with in the table, and the reason why they are not run; test/real/deploy checks them. */
const NOT_RUN: Readonly<Record<string, string>> = {
  systemd: "it would install a service on this machine",
  compose: "it needs Docker, and pulls images",
  kubernetes: "it needs a cluster",
};

/** Configurations that a guide shows with the address of the real upstream. */
const CONFIGURED = [
  ["docs/guides/graphql.md", "examples/graphql-web/graph.yaml"],
  ["docs/guides/home-assistant.md", "examples/home-assistant/home.yaml"],
  ["docs/guides/realtime-ai.md", "examples/realtime-ai/realtime.yaml"],
] as const;

/** Files that a guide shows whole. */
const SHOWN = [
  ["docs/guides/php.md", "examples/php/page.php"],
  ["docs/guides/python.md", "examples/python-feed/feed.py"],
  ["docs/library.md", "examples/library/blocking.mjs"],
  ["docs/library.md", "examples/library/awaiting.mjs"],
  ["docs/client.md", "examples/library/client.mjs"],
] as const;

/** Runs a program of an example, which finds the library by the name of its package. */
async function ran(t: Cleanup, ...args: readonly string[]): Promise<Ran> {
  const [command = "", ...flags] = RUNTIME;
  const program = await run({ command, args: [...flags, ...args], cwd: root, env: process.env, t, within: 65_000 });
  assert.equal(program.code, 0, `${program.stdout}${program.stderr}`);
  return program;
}

const runs = sideBySide("the command of an example");

for (const [name, { skip, prints, logs }] of Object.entries(EXAMPLES)) {
  runs(`${name} prints what it is to show`, { skip }, async (t) => {
    const { stdout, stderr } = await ran(t, join("examples", name, "run.mjs"));
    assert.match(stdout, prints);
    if (logs) assert.match(stderr, logs);
  });
}

for (const [name, skip] of Object.entries(NOT_RUN)) {
  runs(`${name} serves as its page says`, { skip }, () => Promise.reject(new Error("nothing here runs it")));
}

test("each example has a page with its command, a row in the table, and a guide that leads to it", () => {
  const rows = new Map(
    Array.from(
      read("examples", "README.md").matchAll(/^\| \[([\w-]+)\]\(\1\) \| .* \| \[.*\]\(\.\.\/(.+)\) \|$/gm),
      (row) => [row[1] ?? "", row[2] ?? ""],
    ),
  );
  const folders = readdirSync(join(root, "examples"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  assert.deepEqual([...rows.keys()].sort(), folders.map(({ name }) => name).sort());
  assert.deepEqual([...rows.keys()].sort(), Object.keys(EXAMPLES).sort());
  for (const [name, guide] of rows) {
    const page = read("examples", name, "README.md");
    assert.ok(page.includes(`\`\`\`sh\nnode examples/${name}/run.mjs\n\`\`\``), `${name} does not have its command`);
    assert.ok(page.includes(`](../../${guide})`), `${name} does not lead to ${guide}`);
    assert.match(read(guide), new RegExp(`\\]\\((?:\\.\\./)+examples/${name}\\)`), `${guide} does not lead to ${name}`);
  }
});

test("the documents have the programs as they are", () => {
  for (const [page, file] of SHOWN) {
    const language = { mjs: "js", py: "python" }[file.split(".").at(-1) ?? ""] ?? file.split(".").at(-1);
    assert.ok(read(page).includes(`\`\`\`${language}\n${read(file)}\`\`\``), `${page} does not have ${file} as it is`);
  }
});

test("the files to deploy with have a row in the table, which leads to them and to their page", () => {
  const table = read("examples", "README.md");
  for (const name of Object.keys(NOT_RUN)) {
    assert.match(
      table,
      new RegExp(`^\\| \\[${name}\\]\\(\\.\\./ops/${name}\\) .*\\(\\.\\./docs/deploy/${name}\\.md\\) \\|$`, "m"),
    );
  }
});

test("the guides have the configurations of the examples, but for the address", () => {
  const withoutAddress = (text: string) => {
    const { upstreams } = parse(text) as { upstreams: Readonly<Record<string, Readonly<Record<string, unknown>>>> };
    return Object.entries(upstreams).map(([name, { url, ...settings }]) => ({
      name,
      hasUrl: url !== undefined,
      settings,
    }));
  };
  for (const [page, file] of CONFIGURED) {
    const name = `# ${file.split("/").at(-1)}`;
    const fence = fencesOf(read(page)).find(({ lines }) => lines[0] === name);
    assert.deepEqual(withoutAddress(fence?.lines.join("\n") ?? "upstreams: {}"), withoutAddress(read(file)), page);
  }
});
