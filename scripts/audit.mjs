/**
 * The audit of what others wrote: known vulnerabilities, licences, and a bill of materials.
 *
 *   node scripts/audit.mjs [--offline] [--sbom FILE]
 *
 * Prints the licence of every package that the lockfile installs to run or whose code the pages hold, and asks npm's
 * registry for advisories, which needs the network: `--offline` leaves that out. `--sbom` writes the bill of materials
 * (CycloneDX 1.5) to a file: `npm sbom --omit=dev` would leave out the packages that development needs as well, as zod.
 * Exits with 1 if there is an advisory, or a licence that is not in the list.
 */
import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { OF_PAGES } from "./build.mjs";

/** Licences that ask for nothing but their notice. */
const ALLOWED = new Set([
  "MIT",
  "ISC",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "Apache-2.0",
  "0BSD",
  "BlueOak-1.0.0",
  "Unlicense",
]);

process.chdir(fileURLToPath(new URL("..", import.meta.url)));

const { values: flags } = parseArgs({ options: { offline: { type: "boolean" }, sbom: { type: "string" } } });
const packages = installed();
const refused = packages.filter(({ license }) => !ALLOWED.has(license));
for (const { name, version, license } of packages) console.log(`${name} ${version}: ${license}`);
for (const { name, license } of refused) console.log(`NOT ALLOWED: ${name} has the licence ${license}`);
if (flags.sbom !== undefined) writeFileSync(flags.sbom, `${JSON.stringify(billOfMaterials(packages), undefined, 2)}\n`);
const isSafe = flags.offline || advisories();
process.exit(refused.length === 0 && isSafe ? 0 : 1);

/** The packages that run with the service: those of the lockfile that are not for development alone, and the pages'. */
function installed() {
  const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8"));
  const ofPages = new Set(OF_PAGES.map((name) => `node_modules/${name}`));
  return Object.entries(packages)
    .filter(([path, { dev, optional, peer }]) => path !== "" && ((!dev && !optional && !peer) || ofPages.has(path)))
    .map(([path, { version, integrity, license = licenseOf(path) }]) => {
      return { name: path.split("node_modules/").at(-1), version, integrity, license };
    });
}

/** Lockfiles of older versions of npm have no licences. */
function licenseOf(path) {
  try {
    return JSON.parse(readFileSync(`${path}/package.json`, "utf8")).license ?? "none";
  } catch {
    return "unknown: not installed";
  }
}

function billOfMaterials(components) {
  const { name } = JSON.parse(readFileSync("package.json", "utf8"));
  const [, version] = /version = "(.*)"/.exec(readFileSync("src/version.ts", "utf8"));
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    version: 1,
    metadata: { component: { type: "application", name, version } },
    components: components.map((each) => ({
      type: "library",
      name: each.name,
      version: each.version,
      purl: `pkg:npm/${each.name.replace("@", "%40")}@${each.version}`,
      licenses: [{ license: { id: each.license } }],
      hashes: each.integrity.split(" ").map((text) => {
        const [, digest] = text.split("-");
        return { alg: "SHA-512", content: Buffer.from(digest, "base64").toString("hex") };
      }),
    })),
  };
}

/** @returns true if npm's registry knows of no vulnerability */
function advisories() {
  return spawnSync("npm", ["audit", "--omit=dev"], { stdio: "inherit" }).status === 0;
}
