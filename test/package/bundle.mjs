/** Bundles a program for Node as the bundler's manual says. Arguments: the bundler, the program, the folder. */
import { join, resolve } from "node:path";
import process from "node:process";

const [, , bundler, program, folder] = process.argv;
const outfile = join(resolve(folder), "program.mjs");

const bundlers = {
  async esbuild() {
    const { build } = await import("esbuild");
    await build({ entryPoints: [program], outfile, bundle: true, platform: "node", format: "esm" });
  },
  async rollup() {
    const { rollup } = await import("rollup");
    const { default: commonjs } = await import("@rollup/plugin-commonjs");
    const { nodeResolve } = await import("@rollup/plugin-node-resolve");
    const bundle = await rollup({
      input: program,
      external: /^node:/,
      plugins: [nodeResolve({ preferBuiltins: true }), commonjs()],
      onwarn: () => {}, // Circular imports of zod.
    });
    await bundle.write({ dir: folder, entryFileNames: "[name].mjs", chunkFileNames: "[name]-[hash].mjs" });
  },
  async vite() {
    const { build } = await import("vite");
    await build({
      configFile: false,
      logLevel: "error",
      ssr: { noExternal: true },
      build: { ssr: program, outDir: folder, rollupOptions: { output: { entryFileNames: "program.mjs" } } },
    });
  },
  async webpack() {
    const { default: webpack } = await import("webpack");
    const { promise, resolve: done, reject } = withResolvers();
    const options = {
      mode: "production",
      optimization: { minimize: false }, // It takes most of the time, and leaves the module as it is.
      target: "node20",
      entry: resolve(program),
      experiments: { outputModule: true },
      output: { path: resolve(folder), filename: "program.mjs", module: true, chunkFormat: "module" },
    };
    webpack(options, (error, stats) => {
      if (error || stats.hasErrors()) reject(error ?? new Error(stats.toString()));
      else done();
    });
    await promise;
  },
};

function withResolvers() {
  const found = {};
  found.promise = new Promise((resolve, reject) => Object.assign(found, { resolve, reject }));
  return found;
}

await bundlers[bundler]();
