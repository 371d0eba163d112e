// Reads what the precompiles keep by eth_getProof alone: proves every slot up to a block's state root, decodes it by the
// documented layout, and compares it with what the precompiles' own functions say.
import { Contract, JsonRpcProvider, toQuantity } from "ethers";
import { devnet, predeploys, run } from "./devnet.mjs";
import { proveAttribution } from "./proofs/attribution.mjs";
import { proveDatanets } from "./proofs/datanets.mjs";
import { provePayouts } from "./proofs/payouts.mjs";
import { Storage } from "./proofs/storage.mjs";

await run("proofs", async () => {
  const provider = new JsonRpcProvider(devnet.l2_http, undefined, { cacheTimeout: -1 });
  const number = await provider.getBlockNumber();
  const tag = toQuantity(number);
  const { stateRoot } = await provider.send("eth_getBlockByNumber", [tag, false]);
  const block = { number, tag, stateRoot };
  const at = { blockTag: tag };
  const storage = ({ address, abi }, name) => new Storage(provider, new Contract(address, abi, provider), name, block);
  const datanets = storage(predeploys.datanets, "ReferenceDatanets");
  const attribution = storage(predeploys.attribution, "ReferenceAttribution");
  const payouts = storage(predeploys.payouts, "ReferencePayouts");

  const people = new Set();
  const contributed = await proveDatanets(datanets, payouts.contract, people, at);
  const attributed = await proveAttribution(attribution, people, at);
  const paid = await provePayouts(payouts, await attribution.events("TailSettled"), people, at);
  const all = [datanets, attribution, payouts];
  all.forEach((each) => each.check());
  const slots = all.reduce((sum, each) => sum + each.slots, 0);
  return `${slots} slots proven at block ${number}: ${contributed}, ${attributed}, ${paid}`;
});
