// What the clients in JavaScript share: the devnet that the first argument names, the ABIs, and checks.
import { deepStrictEqual } from "node:assert";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.argv[2];
if (!folder || process.argv.length !== 3) {
  console.error("usage: node CLIENT.mjs D, where D is a folder with devnet.json");
  process.exit(2);
}

const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));
export const artifact = (name) => readJson(new URL(`../../contracts/artifacts/${name}.json`, import.meta.url));

export const devnet = readJson(join(folder, "devnet.json"));
export const account = devnet.accounts.find(({ name }) => name === "client");
if (!account) {
  console.error(`${folder}/devnet.json has no account named "client"`);
  process.exit(1);
}

export const answerDesk = artifact("AnswerDesk");
export const predeploys = {
  datanets: { address: "0x4F50454E00000000000000000000000000000001", abi: artifact("IDatanets").abi },
  attribution: { address: "0x4f50454E00000000000000000000000000000002", abi: artifact("IAttribution").abi },
  payouts: { address: "0x4F50454e00000000000000000000000000000003", abi: artifact("IPayouts").abi },
  datanetToken: { address: "0x4f50454e00000000000000000000000000000101", abi: artifact("DatanetToken").abi },
  contributionToken: { address: "0x4f50454E00000000000000000000000000000102", abi: artifact("ContributionToken").abi },
};

export const domain = "client check";
export const metadataURI = "ipfs://client-check";
export const rows = 3;
/// LICENCE_TRAIN and LICENCE_SERVE.
export const licence = 3;
export const stakeWei = 10n ** 16n;
export const unstakeWei = 4n * 10n ** 15n;
/// An answer of so many tokens in and out is what `ask` pays for at most.
export const tokens = 16;
export const timeoutMs = 60_000;
/// A number that no Datanet has.
export const unknownId = 2n ** 63n;

/// Throws unless both are the same; addresses and hashes are compared without their case.
export function same(what, actual, expected) {
  deepStrictEqual(plain(actual), plain(expected), `${what}: got ${String(actual)}, expected ${String(expected)}`);
}

function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  return typeof value === "string" && value.startsWith("0x") ? value.toLowerCase() : value;
}

/// Checks the named fields of a decoded event or struct.
export function sameFields(what, actual, expected) {
  for (const [field, value] of Object.entries(expected)) same(`${what}.${field}`, actual[field], value);
}

/// Fails when the promise takes longer than `timeoutMs`.
export function inTime(what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing within ${timeoutMs} ms`)), timeoutMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/// Runs the check, prints its result as one line, and ends the process.
export async function run(client, check) {
  try {
    console.log(`ok: ${client}: ${await check()}`);
    process.exit(0);
  } catch (error) {
    console.error(`failed: ${client}: ${error.stack ?? error}`);
    process.exit(1);
  }
}
