/** The help of one command: its purpose, its options, examples, and the page that says more. */

import { COMMANDS, type CommandName } from "./command-options.ts";
import { optionLines } from "./commandline.ts";

interface Help {
  readonly purpose: string;
  readonly examples: readonly string[];
  readonly page: string;
}

const HELP: Readonly<Record<CommandName, Help>> = {
  serve: {
    purpose: "Serves upstreams over HTTP; without one, it starts a demo.",
    examples: ["sidesocket wss://example.org/socket", "sidesocket --config sidesocket.yaml --port 9000"],
    page: "docs/configuration.md",
  },
  call: {
    purpose: "Sends one message, prints its reply, and leaves nothing running.",
    examples: [
      "sidesocket call eth_chainId --upstream ws://127.0.0.1:8546 --pick /result",
      `sidesocket call '{"type":"get_states"}' --config home.yaml --to home`,
    ],
    page: "docs/commands.md#call",
  },
  listen: {
    purpose: "Prints unsolicited messages, one JSON line for each.",
    examples: [
      "sidesocket listen --service http://127.0.0.1:8787 --cursor feed.cursor",
      "sidesocket listen --upstream wss://example.org/feed --protocol json --limit 10",
    ],
    page: "docs/commands.md#listen",
  },
  status: {
    purpose: "Prints the state of a running service; exits with 0 only if it is ready.",
    examples: ["sidesocket status", "sidesocket status --service http://10.0.0.5:8787 --token-file token"],
    page: "docs/commands.md#status",
  },
  doctor: {
    purpose: "Checks what the service needs, up to the login at each upstream, and says the cure of what fails.",
    examples: ["sidesocket doctor --config sidesocket.yaml", "sidesocket doctor --port 0"],
    page: "docs/commands.md#doctor",
  },
  run: {
    purpose: "Runs a script that blocks for its replies, and ends it in order.",
    examples: ["sidesocket run --upstream wss://example.org/socket report.mjs -- --its --own arguments"],
    page: "docs/library.md",
  },
  record: {
    purpose: "Serves, and writes what one upstream says and hears to standard output, without its secrets.",
    examples: ["sidesocket record --upstream wss://example.org/socket --for 30s > recording.ndjson"],
    page: "docs/recordings.md",
  },
  mock: {
    purpose: "Serves a recording in the place of its upstream.",
    examples: ["sidesocket mock recording.ndjson --port 9000 --immediate"],
    page: "docs/recordings.md#playing-it-back",
  },
  presets: {
    purpose: "Lists the protocols that need no configuration, or prints one's to start from.",
    examples: ["sidesocket presets", "sidesocket presets home-assistant > sidesocket.yaml"],
    page: "docs/protocols.md",
  },
  probe: {
    purpose: "Guesses the protocol of an upstream from what it says by itself, and prints a configuration.",
    examples: ["sidesocket probe wss://example.org/socket > sidesocket.yaml"],
    page: "docs/commands.md#probe",
  },
  "check-config": {
    purpose:
      "Checks a configuration without starting anything, and prints all of it, with defaults and without its secrets.",
    examples: ["sidesocket check-config sidesocket.yaml", "sidesocket check-config sidesocket.yaml > effective.yaml"],
    page: "docs/commands.md#check-config",
  },
  "check-protocol": {
    purpose: "Runs a protocol module over recorded frames, and says what it makes of each.",
    examples: ["sidesocket check-protocol ./tagged.js --replay frames.ndjson"],
    page: "docs/protocols.md#trying-a-module",
  },
  "cluster-setup": {
    purpose:
      "Makes what a cluster keeps in NATS, with an administrator's credentials, and prints a replica's least rights.",
    examples: ["sidesocket cluster-setup --config sidesocket.yaml --cluster-credentials-file admin.creds"],
    page: "docs/commands.md#cluster-setup",
  },
  completion: {
    purpose: "Prints the script by which a shell completes commands and options.",
    examples: ["source <(sidesocket completion bash)", "sidesocket completion fish | source"],
    page: "docs/commands.md",
  },
};

export function commandHelp(command: CommandName): string {
  const { purpose, examples, page } = HELP[command];
  const own = optionLines.filter(({ of }) => of?.includes(command));
  const options = own.map(
    ({ name, hint, help }) => `  --${name}${hint === undefined ? "" : ` ${hint}`}\n      ${help}`,
  );
  return [
    purpose,
    "",
    `usage: sidesocket ${COMMANDS[command]}`,
    "",
    ...(options.length > 0 ? [...options, ""] : []),
    "The options of the service, such as --upstream and --config: sidesocket --help",
    "",
    "examples:",
    ...examples.map((example) => `  ${example}`),
    "",
    `more: ${page}`,
  ].join("\n");
}
