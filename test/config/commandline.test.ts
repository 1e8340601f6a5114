/** The command line: what it accepts and refuses, and what its help says. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ENVIRONMENT_NAMES, helpText, parseCommandLine, readSetting } from "../../src/config/commandline.ts";
import { configSchema, LOG_LEVELS, logSchema } from "../../src/config/schema.ts";
import { DEFAULT_TIMEOUT_MS } from "../../src/core/outcome.ts";
import { presetNames } from "../../src/protocols/presets.ts";

test("serve is the default command", () => {
  assert.deepEqual(parseCommandLine([]), { command: "serve", flags: {} });
  assert.deepEqual(parseCommandLine(["serve"]), { command: "serve", flags: {} });
});

test("every option is read, and two are repeatable", () => {
  const argv = [
    "--upstream",
    "wss://a",
    "--protocol=text",
    "--config",
    "f.yaml",
    "--upstream-header",
    "a: 1",
    "--upstream-header",
    "b: 2",
  ];
  argv.push("--subprotocol", "x", "--host", "::1", "--port", "0", "--token-file", "t", "--shutdown-token-file", "s");
  argv.push("--log-level", "debug", "--log-format", "json", "--insecure");
  assert.deepEqual(parseCommandLine(argv), {
    command: "serve",
    flags: {
      upstream: "wss://a",
      protocol: "text",
      config: "f.yaml",
      "upstream-header": ["a: 1", "b: 2"],
      subprotocol: ["x"],
      host: "::1",
      port: "0",
      "token-file": "t",
      "shutdown-token-file": "s",
      "log-level": "debug",
      "log-format": "json",
      insecure: true,
    },
  });
});

test("--help, --version and --config-schema count anywhere on the line", () => {
  assert.deepEqual(parseCommandLine(["serve", "--help"]), { command: "help", of: "serve" });
  assert.deepEqual(parseCommandLine(["call", "--help"]), { command: "help", of: "call" });
  assert.deepEqual(parseCommandLine(["-h"]), { command: "help" });
  assert.deepEqual(parseCommandLine(["--version"]), { command: "version" });
  assert.deepEqual(parseCommandLine(["--config-schema"]), { command: "config-schema" });
});

test("an address alone serves that upstream", () => {
  const parsed = parseCommandLine(["wss://example.org/x", "--port", "0"]);
  assert.deepEqual(parsed, { command: "serve", flags: { upstream: "wss://example.org/x", port: "0" } });
});

test("run takes a script, and passes on what follows it", () => {
  const parsed = parseCommandLine(["run", "--port", "1", "s.mjs", "a", "--", "--flag"]);
  assert.deepEqual(parsed, { command: "run", flags: { port: "1" }, script: "s.mjs", args: ["a", "--flag"] });
  assert.throws(() => parseCommandLine(["run"]), { name: "ConfigError", message: /^run takes a script/ });
});

test("check-config takes one file", () => {
  assert.deepEqual(parseCommandLine(["check-config", "f.yaml"]), {
    command: "check-config",
    flags: { config: "f.yaml" },
  });
  for (const argv of [["check-config"], ["check-config", "a", "b"], ["check-config", "a", "--config", "b"]]) {
    assert.throws(() => parseCommandLine(argv), { name: "ConfigError", message: /^check-config takes one file/ });
  }
});

test("unknown options and commands are refused with a pointer to --help, without repeating stray arguments", () => {
  const cases: [string[], RegExp][] = [
    [["--upstraem", "wss://a"], /Unknown option '--upstraem': did you mean --upstream\? \(see --help\)$/],
    [["--token=c4n4ry"], /Unknown option '--token' \(see --help\)$/],
    [["--port"], /--port.* \(see --help\)$/],
    [["--insecure=yes"], /--insecure.* \(see --help\)$/],
    [["cal", "c4n4ry"], /^unknown command: did you mean call\? \(known: serve, call, .*\) \(see --help\)$/],
    [["c4n4ry"], /^unknown command \(known: .*\) \(see --help\)$/],
    [["call"], /^call takes one message, .* \(see --help\)$/],
    [["call", "{}", "c4n4ry"], /^call takes one message, .* \(see --help\)$/],
    [["call", "-", "c4n4ry"], /^call takes one message, .* \(see --help\)$/],
    [["call", "sum", "-1"], /^a negative number stands after --/],
    [["listen", "c4n4ry"], /^listen takes options only/],
    [
      ["listen", "--service", "http://c4n4ry", "--upstream", "ws://c4n4ry"],
      /^listen takes --service or, .* --upstream/,
    ],
    [["serve", "--service", "http://c4n4ry"], /^--service is only for listen and status/],
    [["status", "c4n4ry"], /^status takes options only/],
    [["--timeout", "10"], /^--timeout is only for call \(see --help\)$/],
    [["wss://c4n4ry", "more"], /^one address of one upstream/],
    [["wss://c4n4ry", "--upstream", "ws://c4n4ry"], /^one address of one upstream/],
    [["serve", "c4n4ry"], /^serve takes options only \(see --help\)$/],
  ];
  for (const [argv, expected] of cases) {
    assert.throws(
      () => parseCommandLine(argv),
      (error: Error) => {
        assert.equal(error.name, "ConfigError");
        assert.match(error.message, expected);
        assert.doesNotMatch(error.message, /c4n4ry/);
        return true;
      },
    );
  }
});

test("a flag wins over its variable, and each names its source", () => {
  assert.deepEqual(readSetting("port", { port: "1" }, { PORT: "2" }), [{ value: "1", from: "--port" }]);
  assert.deepEqual(readSetting("port", {}, { PORT: "2", SIDESOCKET_PORT: "3" }), [{ value: "2", from: "PORT" }]);
  assert.deepEqual(readSetting("host", {}, { HOST: "example.org" }), []);
});

test("variables hold several headers as lines, and several subprotocols separated by commas", () => {
  const env = { SIDESOCKET_UPSTREAM_HEADER: "a: 1, 2\r\n\nb: 3\n", SIDESOCKET_SUBPROTOCOL: "x, y" };
  assert.deepEqual(
    readSetting("upstream-header", {}, env).map(({ value }) => value),
    ["a: 1, 2", "b: 3"],
  );
  assert.deepEqual(
    readSetting("subprotocol", {}, env).map(({ value }) => value),
    ["x", "y"],
  );
  assert.deepEqual(readSetting("subprotocol", { subprotocol: ["z"] }, env), [{ value: "z", from: "--subprotocol" }]);
});

test("an empty value is refused, not replaced by the default", () => {
  assert.throws(() => readSetting("upstream", {}, { SIDESOCKET_UPSTREAM_URL: "" }), {
    message: /^SIDESOCKET_UPSTREAM_URL: is empty/,
  });
  assert.throws(() => readSetting("port", { port: " " }, {}), { message: /^--port: is empty/ });
});

test("the help names every option and variable", () => {
  const help = helpText();
  for (const name of ENVIRONMENT_NAMES) assert.ok(help.includes(name), name);
  for (const option of [
    "--upstream",
    "--subprotocol",
    "--insecure",
    "--config-schema",
    "sidesocket call",
    "check-config",
  ])
    assert.ok(help.includes(option), option);
});

test("call takes words and options of its own, and settings", () => {
  const argv = ["call", "sum", "1", "--pick", "/a", "--to", "b", "--pick", "/c", "--port", "1", "--", "-2"];
  assert.deepEqual(parseCommandLine(argv), {
    command: "call",
    flags: { port: "1" },
    options: { pick: ["/a", "/c"], to: "b" },
    words: ["sum", "1", "-2"],
  });
});

test("the help has the defaults and choices of the schema", () => {
  const { host, port } = configSchema.parse({}).listen;
  const help = helpText();
  assert.ok(help.includes(`(${host})`) && help.includes(`(${port})`));
  assert.ok(help.includes(LOG_LEVELS.join(", ").replace("info", "info (default)")));
  assert.ok(help.includes(presetNames.join(", ").replace("json-rpc", "json-rpc (default)")));
  assert.equal(logSchema.parse({}).level, "info");
  assert.ok(help.includes(`(${DEFAULT_TIMEOUT_MS / 1_000}s)`));
});
