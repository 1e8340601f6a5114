/** The import rules of src/: which file may know which. Each rule is also applied to a small tree that breaks it. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { describe, test } from "node:test";
import { root } from "./support/root.ts";

/** A path relative to src/. A path that ends in `/` covers everything below it. */
type Place = string;

/** Known to both sides of the thread boundary: the contract, and tools that know neither side. */
const BOTH_SIDES: readonly Place[] = [
  "sidecar/contract.ts",
  "sidecar/line.ts",
  "sidecar/upstream-message.ts",
  "sidecar/reports.ts",
  "sidecar/exit-report.ts",
  "sidecar/message-codec.ts",
  "sidecar/batching.ts",
  "sidecar/alarm.ts",
  "sidecar/patient-timer.ts",
  "sidecar/event-loop-lag.ts",
  "sidecar/holder-address.ts",
  "sidecar/instance-name.ts",
  "sidecar/line-slips.ts",
  "sidecar/new-epoch.ts",
  "sidecar/slip-place.ts",
  "sidecar/turns.ts",
  "sidecar/upstream-numbers.ts",
];

/** Decides and touches nothing. */
const CORE: readonly Place[] = ["core/", "protocols/", "errors.ts", "secrets/secrets.ts"];

/** The part of the library that works wherever there is a `fetch`: the client has it, too. */
const LIBRARY_ANYWHERE: readonly Place[] = [
  "library/async-upstream.ts",
  "library/call-options.ts",
  "library/option-names.ts",
  "library/pending-reply.ts",
  "library/random-name.ts",
  "library/reply-value.ts",
  "library/rpc-call.ts",
  "library/sendable.ts",
  "library/message-subscription.ts",
];

/** Open to every part of the HTTP side. */
const HTTP: readonly Place[] = [
  "http/demand-accepting.ts",
  "http/described.ts",
  "http/ended-request.ts",
  "http/env.ts",
  "http/guard.ts",
  "http/held-bytes.ts",
  "http/named-upstream.ts",
  "http/openapi.ts",
  "http/owned-ids.ts",
  "http/page-files.ts",
  "http/ports.ts",
  "http/problem.ts",
  "http/quotas.ts",
  "http/reply-keeper.ts",
  "http/request-header.ts",
  "http/request-id.ts",
  "http/routing.ts",
  "http/rpc-error.ts",
  "http/schemas.ts",
  "http/stop-signal.ts",
  "http/tickets.ts",
  "http/callers.ts",
  "http/upstream-path.ts",
  "http/whole-response.ts",
];

/** The foundations of the HTTP side. */
const BEHIND_HTTP: readonly Place[] = ["sidecar/host/", ...BOTH_SIDES, ...CORE, "config/", "telemetry/", "version.ts"];

/**
 * Who may import whom inside src/. `types` may be imported with `import type` only. Files not named here (main.ts,
 * service/, index.ts) may import everything that the other rules leave.
 */
const ARROWS: readonly { readonly from: readonly Place[]; readonly to: readonly Place[]; readonly types?: Place[] }[] =
  [
    {
      from: ["errors.ts", "version.ts", "secrets/placeholders.ts", "local-socket.ts", "secrets/signing-key.ts"],
      to: [],
    },
    { from: ["secrets/secret-file.ts"], to: ["local-socket.ts"] },
    // A secret may be quoted where it stands.
    { from: ["secrets/secrets.ts"], to: ["secrets/placeholders.ts"] },
    { from: ["secrets/tls-files.ts"], to: ["secrets/secret-file.ts"] },
    { from: ["core/util/"], to: ["core/util/"] },
    {
      from: ["core/", "protocols/"],
      to: ["core/", "protocols/", "secrets/placeholders.ts", "secrets/secrets.ts", "version.ts"],
      types: ["errors.ts", "config/schema.ts"],
    },
    {
      from: ["config/"],
      to: [
        "config/",
        "protocols/",
        "errors.ts",
        "local-socket.ts",
        "secrets/placeholders.ts",
        "secrets/secrets.ts",
        "secrets/signing-key.ts",
        "secrets/tls-files.ts",
        "version.ts",
      ],
    },
    {
      from: ["sidecar/host/"],
      to: ["sidecar/host/", ...BOTH_SIDES, ...CORE, "local-socket.ts", "version.ts"],
      types: ["config/schema.ts"],
    },
    {
      from: ["sidecar/thread/"],
      to: [
        "sidecar/thread/",
        ...BOTH_SIDES,
        ...CORE,
        "cluster/",
        "net/",
        "local-socket.ts",
        "secrets/placeholders.ts",
        "secrets/secret-file.ts",
        "secrets/tls-files.ts",
      ],
      types: ["config/schema.ts"],
    },
    { from: ["sidecar/caller/"], to: ["sidecar/caller/", ...BOTH_SIDES, ...CORE] },
    { from: BOTH_SIDES, to: [...BOTH_SIDES, ...CORE], types: ["config/schema.ts"] },
    { from: ["http/streaming/"], to: ["http/streaming/", "http/call/", ...HTTP, ...BEHIND_HTTP] },
    // The host alone knows what it keeps, and the bus carries it as bytes. The messages load no client of NATS.
    { from: ["http/call/"], to: ["http/call/", ...HTTP, ...BEHIND_HTTP, "cluster/kept-messages.ts"] },
    { from: ["http/routes/"], to: ["http/routes/", "http/call/", "http/streaming/", ...HTTP, ...BEHIND_HTTP] },
    { from: ["http/metrics/"], to: ["http/metrics/", ...HTTP, ...BEHIND_HTTP] },
    { from: ["http/app.ts", "http/app-frame.ts", "http/metrics-app.ts"], to: ["http/", ...BEHIND_HTTP] },
    { from: HTTP, to: [...HTTP, ...BEHIND_HTTP] },
    {
      from: ["push/"],
      to: [
        "push/",
        "http/streaming/render.ts",
        "sidecar/host/",
        ...BOTH_SIDES,
        "core/",
        "net/",
        "secrets/placeholders.ts",
        "secrets/secret-file.ts",
        "secrets/signing-key.ts",
      ],
      types: ["config/schema.ts", "http/ports.ts"],
    },
    { from: ["telemetry/"], to: ["telemetry/"], types: ["errors.ts", "sidecar/reports.ts"] },
    {
      from: ["net/"],
      to: [
        "net/",
        "local-socket.ts",
        "core/connection/address-race.ts",
        "core/connection/proxy-dialogue.ts",
        "core/connection/proxy-exceptions.ts",
        "secrets/secrets.ts",
      ],
    },
    {
      from: ["runtime/"],
      to: ["runtime/", "core/util/hidden-message.ts", "sidecar/thread/worker.ts", "net/"],
      types: ["core/connection/address-race.ts"],
    },
    { from: ["demo/"], to: ["demo/"] },
    // Members and tests ask for the engine's port, and whoever is behind it knows no member.
    // The messages between members hold requests, outcomes and terms as the core has them, and records have cursors.
    {
      from: ["cluster/"],
      to: ["cluster/", "version.ts", "core/outcome.ts", "core/messages/journal.ts", "core/util/transient.ts"],
      types: ["core/", "protocols/protocol.ts", "errors.ts", "config/schema.ts"],
    },
    { from: ["probe/"], to: ["probe/", "protocols/presets.ts"] },
    {
      from: ["recording/"],
      to: ["recording/", "config/", "protocols/", "secrets/secrets.ts", "secrets/secret-file.ts", "core/util/"],
      types: ["sidecar/contract.ts", "sidecar/host/upstream-client.ts"],
    },
    {
      from: LIBRARY_ANYWHERE,
      to: [...LIBRARY_ANYWHERE, "errors.ts", "config/suggestions.ts", "core/outcome.ts"],
      types: [...BOTH_SIDES, ...CORE],
    },
    {
      from: ["client.ts", "client/"],
      to: ["client/", ...LIBRARY_ANYWHERE, "errors.ts"],
      types: [...BOTH_SIDES, ...CORE],
    },
  ];

/** Pure modules that compute, each with the one file of core and protocols that may use it. */
const PURE: Readonly<Record<string, Place>> = {
  "node:buffer": "protocols/bytes.ts",
  "node:crypto": "protocols/challenge.ts",
  re2js: "protocols/pattern.ts",
};

/** Modules that are slow to load, and must not delay a start that does not need them. */
const LAZY: readonly Place[] = ["protocols/pattern.ts", "http/metrics/metrics-text.ts", "cluster/nats.ts"];

/** The one client of WebSockets, and the servers that stand in for upstreams. */
const KNOW_WS: readonly Place[] = ["sidecar/thread/socket.ts", "demo/demo-upstream.ts", "recording/mock-server.ts"];

const KNOW_NATS: readonly Place[] = ["cluster/nats-dial.ts", "cluster/nats-link.ts", "cluster/nats-socket.ts"];

/** The commands besides `serve`, which must not delay its start. */
const COMMANDS: Place = "commands/";

/** The thread's entry points, which are named by URL and imported by nobody. */
const isThreadEntry = (path: string): boolean => /^(runtime\/)?sidesocket-\w+\.ts$/.test(path);
const THREAD_SIDE: Place = "sidecar/thread/";
const THREAD: Place = "sidecar/thread/worker.ts";
const PLACEHOLDERS: Place = "secrets/placeholders.ts";

/** Names through which code would reach the world, the clock or chance; pure code gets them as arguments. */
const IMPURE =
  /\b(setTimeout|setInterval|setImmediate|queueMicrotask|performance|process|console|fetch|crypto|WebSocket|Date\.now|new Date\(\)|Math\.random)\b/;

/** A regular expression, or the text of one, for the start of a placeholder. */
const PLACEHOLDER_START = /\\\$\\*\{|\bfile\|credentials\b/;

/** A comment, a string, or a regular expression, which may hold quotes and slashes. */
const TOKENS =
  /(\/\/[^\n]*|\/\*[\s\S]*?\*\/)|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\[\s\S])*`)|(?<=(?:[=(,:[!&|?{};]|\breturn)\s*)\/(?![*/])(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\//g;

interface Import {
  /** A path in src/, or the name of a package. */
  readonly to: string;
  readonly inSrc: boolean;
  readonly typeOnly: boolean;
  /** By `import()`: loaded only when it runs. */
  readonly lazy: boolean;
}

interface Module {
  readonly path: string;
  readonly imports: readonly Import[];
  /** The source without comments and without the contents of strings. */
  readonly code: string;
  /** The texts of its regular expressions and strings. */
  readonly literals: readonly string[];
}

type Tree = readonly Module[];
/** A tree in a test: path → source. */
type Sources = Readonly<Record<string, string>>;

interface Rule {
  /** The rule as a sentence. */
  readonly name: string;
  /** Returns one sentence for every violation. */
  breaks(tree: Tree): string[];
  /** Trees that break the rule, with the expected sentences. */
  readonly broken: readonly (readonly [tree: Sources, said: readonly string[]])[];
}

const RULES: readonly Rule[] = [
  {
    name: "every folder imports only what its arrow allows",
    breaks: (tree) => tree.flatMap((module) => ARROWS.flatMap((arrow) => againstArrow(module, arrow))),
    broken: [
      [{ "errors.ts": `import { z } from "./config/schema.ts";` }, ["errors.ts imports config/schema.ts"]],
      [{ "core/a.ts": `import { f } from "../errors.ts";` }, ["core/a.ts imports errors.ts other than as a type"]],
      [{ "core/a.ts": `import type { F } from "../errors.ts";` }, []],
      [{ "core/a.ts": `import { f } from "../protocols/b.ts";` }, []],
      [
        { "protocols/a.ts": `import { f } from "../sidecar/contract.ts";` },
        ["protocols/a.ts imports sidecar/contract.ts"],
      ],
      [{ "config/a.ts": `export * from "../http/app.ts";` }, ["config/a.ts imports http/app.ts"]],
      [
        { "sidecar/host/a.ts": `const a = await import("../../http/app.ts");` },
        ["sidecar/host/a.ts imports http/app.ts"],
      ],
      [
        { "sidecar/host/a.ts": `import type { A } from "../thread/b.ts";` },
        ["sidecar/host/a.ts imports sidecar/thread/b.ts"],
      ],
      [
        { "sidecar/thread/a.ts": `import { f } from "../host/b.ts";` },
        ["sidecar/thread/a.ts imports sidecar/host/b.ts"],
      ],
      [
        { "sidecar/contract.ts": `import type { A } from "./host/a.ts";` },
        ["sidecar/contract.ts imports sidecar/host/a.ts"],
      ],
      [{ "sidecar/thread/a.ts": `import type { A } from "../contract.ts";` }, []],
      [{ "http/call/a.ts": `import { f } from "../routes/rpc.ts";` }, ["http/call/a.ts imports http/routes/rpc.ts"]],
      [
        { "http/call/a.ts": `import { f } from "../streaming/render.ts";` },
        ["http/call/a.ts imports http/streaming/render.ts"],
      ],
      [
        { "http/streaming/a.ts": `import { f } from "../routes/messages.ts";` },
        ["http/streaming/a.ts imports http/routes/messages.ts"],
      ],
      [{ "http/problem.ts": `import { f } from "./call/body.ts";` }, ["http/problem.ts imports http/call/body.ts"]],
      [{ "http/routes/a.ts": `import { f } from "../call/call.ts";` }, []],
      [
        { "http/call/a.ts": `import { f } from "../../sidecar/thread/a.ts";` },
        ["http/call/a.ts imports sidecar/thread/a.ts"],
      ],
      [{ "core/util/a.ts": `import { f } from "../outcome.ts";` }, ["core/util/a.ts imports core/outcome.ts"]],
      [{ "http/guard.ts": `import "../runtime/pick-runtime.ts";` }, ["http/guard.ts imports runtime/pick-runtime.ts"]],
      [{ "http/guard.ts": `import type {\n  A,\n} from "../service.ts";` }, ["http/guard.ts imports service.ts"]],
      [
        { "runtime/a.ts": `import { f } from "../sidecar/host/exit.ts";` },
        ["runtime/a.ts imports sidecar/host/exit.ts"],
      ],
      [{ "demo/a.ts": `import { f } from "../errors.ts";` }, ["demo/a.ts imports errors.ts"]],
    ],
  },
  {
    name: "core and protocols use no package and nothing of the runtime, except pure modules in their one file",
    breaks: (tree) =>
      within(tree, ["core/", "protocols/", "errors.ts"]).flatMap(({ path, imports }) =>
        imports.filter(({ to, inSrc }) => !inSrc && PURE[to] !== path).map(({ to }) => `${path} imports ${to}`),
      ),
    broken: [
      [{ "core/a.ts": `import type { Socket } from "node:net";` }, ["core/a.ts imports node:net"]],
      [{ "protocols/a.ts": `export { z } from "zod";` }, ["protocols/a.ts imports zod"]],
      [{ "core/a.ts": `import { createHash } from "node:crypto";` }, ["core/a.ts imports node:crypto"]],
      [{ "protocols/challenge.ts": `import { createHash } from "node:crypto";` }, []],
    ],
  },
  {
    name: "core and protocols use no clock, timer, chance or process",
    breaks: (tree) =>
      within(tree, ["core/", "protocols/"]).flatMap(({ path, code }) => {
        const name = IMPURE.exec(code)?.[1];
        return name === undefined ? [] : [`${path} uses ${name}`];
      }),
    broken: [
      [{ "core/a.ts": `const at = Date.now();` }, ["core/a.ts uses Date.now"]],
      [{ "protocols/a.ts": "// setTimeout\nconst a = `setTimeout`;" }, []],
      [{ "protocols/a.ts": "const a = /[\"'`/]/.test(b);\nconsole.log(a);" }, ["protocols/a.ts uses console"]],
    ],
  },
  {
    name: "the client and all that it loads use no package and no module of a runtime",
    breaks: (tree) =>
      loadedBy(tree, "client.ts").flatMap(({ path, imports }) =>
        imports.filter(({ inSrc, typeOnly }) => !inSrc && !typeOnly).map(({ to }) => `${path} imports ${to}`),
      ),
    broken: [
      [
        { "client.ts": `export { a } from "./errors.ts";`, "errors.ts": `import { b } from "node:path";` },
        ["errors.ts imports node:path"],
      ],
      [{ "client.ts": `import type { A } from "./a.ts";`, "a.ts": `import { z } from "zod";` }, []],
    ],
  },
  {
    name: "pattern compilers, metrics and the client of NATS are loaded only where they are needed",
    breaks: (tree) =>
      tree
        .filter(({ path }) => !LAZY.includes(path))
        .flatMap(({ path, imports }) =>
          imports
            .filter(({ to, typeOnly, lazy }) => LAZY.includes(to) && !typeOnly && !lazy)
            .map(({ to }) => `${path} imports ${to}`),
        ),
    broken: [
      [
        { "config/load.ts": `import { Pattern } from "../protocols/pattern.ts";` },
        ["config/load.ts imports protocols/pattern.ts"],
      ],
      [{ "config/load.ts": `const a = await import("../protocols/pattern.ts");` }, []],
      [{ "protocols/text-ids.ts": `import type { Pattern } from "./pattern.ts";` }, []],
    ],
  },
  {
    name: "a command is loaded only when it is run",
    breaks: (tree) =>
      tree
        .filter(({ path }) => !path.startsWith(COMMANDS))
        .flatMap(({ path, imports }) =>
          imports
            .filter(({ to, typeOnly, lazy }) => to.startsWith(COMMANDS) && !typeOnly && !lazy)
            .map(({ to }) => `${path} imports ${to}`),
        ),
    broken: [
      [{ "main.ts": `import { call } from "./commands/call.ts";` }, ["main.ts imports commands/call.ts"]],
      [{ "main.ts": `const { call } = await import("./commands/call.ts");` }, []],
      [{ "main.ts": `import type { End } from "./commands/end.ts";` }, []],
    ],
  },
  {
    name: "only the thread's entry imports the thread's side, and only worker.ts of it",
    breaks: (tree) =>
      tree
        .filter(({ path }) => !path.startsWith(THREAD_SIDE))
        .flatMap(({ path, imports }) =>
          imports
            .filter(({ to }) => to.startsWith(THREAD_SIDE) && !(isThreadEntry(path) && to === THREAD))
            .map(({ to }) => `${path} imports ${to}`),
        ),
    broken: [
      [
        { "runtime/node.ts": `import { a } from "../sidecar/thread/worker.ts";` },
        ["runtime/node.ts imports sidecar/thread/worker.ts"],
      ],
      [
        { "service.ts": `import type { A } from "./sidecar/thread/upstream.ts";` },
        ["service.ts imports sidecar/thread/upstream.ts"],
      ],
      [
        { "runtime/sidesocket-thread.ts": `import { a } from "../sidecar/thread/socket.ts";` },
        ["runtime/sidesocket-thread.ts imports sidecar/thread/socket.ts"],
      ],
      [{ "runtime/sidesocket-thread.ts": `import { a } from "../sidecar/thread/worker.ts";` }, []],
    ],
  },
  {
    name: "only sidecar/thread/socket.ts, and the servers of the demo and of recordings, know ws",
    breaks: (tree) => importersOf(tree, ["ws"], (path) => KNOW_WS.includes(path)),
    broken: [
      [{ "sidecar/thread/worker.ts": `import { WebSocket } from "ws";` }, ["sidecar/thread/worker.ts imports ws"]],
      [
        {
          "demo/demo-upstream.ts": `import { WebSocketServer } from "ws";`,
          "sidecar/thread/socket.ts": `import "ws";`,
        },
        [],
      ],
    ],
  },
  {
    name: "only the connection to NATS, its socket, and what dials it, know its client",
    breaks: (tree) => importersOf(tree, ["@nats-io/transport-node"], (path) => KNOW_NATS.includes(path)),
    broken: [
      [
        { "cluster/nats.ts": `import { connect } from "@nats-io/transport-node";` },
        ["cluster/nats.ts imports @nats-io/transport-node"],
      ],
      [{ "cluster/nats-link.ts": `import type { Msg } from "@nats-io/transport-node";` }, []],
    ],
  },
  {
    name: "only pick-runtime.ts imports a runtime, so that neither imports the other",
    breaks: (tree) =>
      importersOf(tree, ["runtime/node.ts", "runtime/deno.ts"], (path) => path === "runtime/pick-runtime.ts"),
    broken: [
      [{ "runtime/deno.ts": `import { a } from "./node.ts";` }, ["runtime/deno.ts imports runtime/node.ts"]],
      [{ "service.ts": `const a = await import("./runtime/deno.ts");` }, ["service.ts imports runtime/deno.ts"]],
    ],
  },
  {
    name: "only placeholders.ts has a regular expression for placeholders",
    breaks: (tree) =>
      tree
        .filter(({ path, literals }) => path !== PLACEHOLDERS && literals.some((text) => PLACEHOLDER_START.test(text)))
        .map(({ path }) => `${path} has a regular expression for placeholders`),
    broken: [
      [{ "config/a.ts": "const a = /\\$\\{\\w+\\}/;" }, ["config/a.ts has a regular expression for placeholders"]],
      [{ "config/a.ts": 'const a = "\\\\$\\\\{.+";' }, ["config/a.ts has a regular expression for placeholders"]],
      [{ "a.ts": "const a = /{(?:file|credentials):/;" }, ["a.ts has a regular expression for placeholders"]],
      [{ "secrets/placeholders.ts": "const a = /\\$\\{/;", "a.ts": 'const a = "${file:…}"; // /\\$\\{/' }, []],
    ],
  },
  {
    name: "only runtime/ names Deno",
    breaks: (tree) =>
      tree
        .filter(({ path, code }) => !path.startsWith("runtime/") && /\bDeno\b/.test(code))
        .map(({ path }) => `${path} names Deno`),
    broken: [
      [{ "main.ts": "const a = globalThis.Deno;" }, ["main.ts names Deno"]],
      [{ "main.ts": `const a = "Deno" in globalThis;` }, ["main.ts names Deno"]],
      [{ "main.ts": `// Deno\nconst a = "Deno needs --allow-net";` }, []],
    ],
  },
  {
    name: "nothing imports main.ts or a thread's entry",
    breaks: (tree) =>
      tree.flatMap(({ path, imports }) =>
        imports
          .filter(({ to, inSrc }) => inSrc && (to === "main.ts" || isThreadEntry(to)))
          .map(({ to }) => `${path} imports ${to}`),
      ),
    broken: [
      [{ "index.ts": `export { a } from "./main.ts";` }, ["index.ts imports main.ts"]],
      [
        { "runtime/node.ts": `import "./sidesocket-thread.ts";` },
        ["runtime/node.ts imports runtime/sidesocket-thread.ts"],
      ],
    ],
  },
  {
    name: "nothing imports in a circle, types included",
    breaks: circles,
    broken: [
      [
        {
          "core/a.ts": `import { b } from "./b.ts";`,
          "core/b.ts": `import type { C } from "./c.ts";`,
          "core/c.ts": `import { a } from "./a.ts";`,
        },
        ["core/a.ts → core/b.ts → core/c.ts → core/a.ts"],
      ],
      [{ "core/a.ts": `import "./a.ts";` }, ["core/a.ts → core/a.ts"]],
      [{ "core/a.ts": `import "./b.ts";\nimport "./c.ts";`, "core/b.ts": `import "./c.ts";`, "core/c.ts": "" }, []],
    ],
  },
];

describe("the imports of src/", () => {
  const tree = readTree();

  test("every import in src/ is found and leads to a file", () => {
    const paths = new Set(tree.map(({ path }) => path));
    const lost = tree.flatMap(({ path, imports }) =>
      imports.filter(({ to, inSrc }) => inSrc && !paths.has(to)).map(({ to }) => `${path} imports ${to}`),
    );
    assert.deepEqual(lost, []);
    const found = tree.reduce((sum, { imports }) => sum + imports.length, 0);
    assert.ok(found > tree.length, `${found} imports in ${tree.length} files`);
  });

  for (const { name, breaks } of RULES) {
    test(name, () => assert.deepEqual(breaks(tree), []));
  }
});

describe("a tree that breaks a rule is reported", () => {
  for (const { name, breaks, broken } of RULES) {
    test(name, () => {
      assert.ok(broken.some(([, said]) => said.length > 0));
      for (const [sources, said] of broken) assert.deepEqual(breaks(treeOf(sources)), said);
    });
  }

  test("every way of importing is found, and none in comments or strings", () => {
    const [module] = treeOf({
      "http/app.ts": [
        `import a, { type B } from "./b.ts";`,
        `import type { C } from "../c.ts";`,
        `import * as d from "@scope/d/sub";`,
        `import {\n  e,\n  f,\n} from "node:fs/promises";`,
        `import "./g.ts";`,
        `export type { H } from "./h.ts";`,
        `export * from "./i.ts";`,
        `const j = await import("./j.ts");`,
        `/* import "./no.ts"; */ // import "./no.ts";`,
        `const text = 'import "./no.ts"; import("./no.ts")';`,
      ].join("\n"),
    });
    assert.deepEqual(module?.imports.map(({ to, typeOnly }) => (typeOnly ? `type ${to}` : to)).sort(), [
      "@scope/d",
      "http/b.ts",
      "http/g.ts",
      "http/i.ts",
      "http/j.ts",
      "node:fs/promises",
      "type c.ts",
      "type http/h.ts",
    ]);
  });
});

/** Reads src/. */
function readTree(): Tree {
  const folder = join(root, "src");
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"));
  return treeOf(
    Object.fromEntries(
      paths.sort().map((path) => [path.replaceAll("\\", "/"), readFileSync(join(folder, path), "utf8")]),
    ),
  );
}

function treeOf(sources: Sources): Tree {
  return Object.entries(sources).map(([path, source]) => readModule(path, source));
}

function readModule(path: string, source: string): Module {
  const strings: string[] = [];
  const expressions: string[] = [];
  // Strings become numbers, so that an import inside one does not count.
  const bare = source.replace(TOKENS, (token: string, comment?: string, string?: string) => {
    if (comment !== undefined) return " ";
    if (string === undefined) {
      expressions.push(token);
      return "/x/";
    }
    return `"${strings.push(string.slice(1, -1)) - 1}"`;
  });
  const FORMS = [
    /^[ \t]*(?:import|export)\s+((?:type\s+)?[\w*{][^;"]*?)\bfrom\s*"(\d+)"/gm,
    /^[ \t]*import()\s*"(\d+)"/gm,
    /\bimport()\(\s*"(\d+)"/g,
  ];
  const found = FORMS.flatMap((form) => [...bare.matchAll(form)]);
  const imports = found.map(([whole, clause = "", at]): Import => {
    const name = strings[Number(at)] ?? "";
    const inSrc = name.startsWith(".");
    return {
      to: inSrc ? posix.join(posix.dirname(path), name) : packageOf(name),
      inSrc,
      typeOnly: /^type\s+[^,\s]/.test(clause),
      lazy: /^import\s*\(/.test(whole),
    };
  });
  // `"Deno" in globalThis` is code, a message for people is not.
  const code = bare.replace(/"(\d+)"( in\b)?/g, (_all, at: string, asks?: string) =>
    asks ? `${strings[Number(at)]}${asks}` : '""',
  );
  return { path, imports, code, literals: [...strings, ...expressions] };
}

function packageOf(name: string): string {
  if (name.startsWith("node:")) return name;
  return name.split("/", name.startsWith("@") ? 2 : 1).join("/");
}

function isIn(path: string, places: readonly Place[]): boolean {
  return places.some((place) => (place.endsWith("/") ? path.startsWith(place) : path === place));
}

function within(tree: Tree, places: readonly Place[]): Tree {
  return tree.filter(({ path }) => isIn(path, places));
}

function againstArrow({ path, imports }: Module, { from, to, types = [] }: (typeof ARROWS)[number]): string[] {
  if (!isIn(path, from)) return [];
  return imports
    .filter((edge) => edge.inSrc && !isIn(edge.to, to) && !(edge.typeOnly && isIn(edge.to, types)))
    .map((edge) => `${path} imports ${edge.to}${isIn(edge.to, types) ? " other than as a type" : ""}`);
}

function importersOf(tree: Tree, targets: readonly string[], mayImport: (path: string) => boolean): string[] {
  return tree
    .filter(({ path }) => !mayImport(path))
    .flatMap(({ path, imports }) =>
      imports.filter(({ to }) => targets.includes(to)).map(({ to }) => `${path} imports ${to}`),
    );
}

/** Finds the modules that a module loads, itself first. */
function loadedBy(tree: Tree, path: string): Tree {
  const found = new Set<Module>();
  const visit = (wanted: string): void => {
    const module = tree.find((one) => one.path === wanted);
    if (!module || found.has(module)) return;
    found.add(module);
    for (const { to, inSrc, typeOnly } of module.imports) if (inSrc && !typeOnly) visit(to);
  };
  visit(path);
  return [...found];
}

/** Finds each import circle once, as the path around it. */
function circles(tree: Tree): string[] {
  const modules = new Map(tree.map((module) => [module.path, module]));
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, way: readonly string[]): void => {
    const start = way.indexOf(path);
    if (start >= 0) found.push([...way.slice(start), path].join(" → "));
    if (start >= 0 || done.has(path)) return;
    for (const { to } of modules.get(path)?.imports ?? []) if (modules.has(to)) visit(to, [...way, path]);
    done.add(path);
  };
  for (const { path } of tree) visit(path, []);
  return found;
}
