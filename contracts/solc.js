#!/usr/bin/env node
// Makes the WebAssembly compiler of the npm package `solc` look like the native `solc` that forge
// runs: `--version`, and `--standard-json` from stdin to stdout. Everything else is an error.
"use strict";

const { readFileSync, writeSync } = require("node:fs");
const { join } = require("node:path");

/** Writes all of `text` to stdout before the process ends, however slowly a pipe drains. */
function print(text) {
  const bytes = Buffer.from(text, "utf8");
  let written = 0;
  while (written < bytes.length) {
    try {
      written += writeSync(1, bytes, written);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
}

const given = process.argv.slice(2);

if (given.includes("--standard-json")) {
  const solc = require(join(__dirname, "node_modules", "solc"));
  const input = readFileSync(0, "utf8");
  print(solc.compile(input));
} else if (given.includes("--version")) {
  // Loading the compiler only to ask its version takes seconds; the package has the same number.
  const { version } = require(join(__dirname, "node_modules", "solc", "package.json"));
  print(`solc, the solidity compiler commandline interface\nVersion: ${version}+commit.00000000.Emscripten.clang\n`);
} else {
  process.stderr.write("solc.js: only --version and --standard-json are supported\n");
  process.exitCode = 2;
}
