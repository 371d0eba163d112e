// What Attribution keeps, beside what its functions show.
import { same } from "../devnet.mjs";
import { sameAs, word } from "./storage.mjs";

/// Adds to `people` whoever may be owed something.
export async function proveAttribution(storage, people, at) {
  const { contract } = storage;
  same("challengeWindow", await storage.at("_challengeWindow"), await contract.challengeWindow(at));
  const models = await storage.at("_models");
  same("modelCount", models, await contract.modelCount(at));
  let receipts = 0n;
  for (let model = 1n; model <= models; model++) {
    const kept = await proveModel(storage, model, at);
    people.add(kept.owner);
    for (let place = 0n; place < kept.receipts; place++) {
      const id = word(await storage.at("_receiptsOfModel", model, place));
      people.add(await proveReceipt(storage, id, at));
      receipts += 1n;
    }
  }
  same("receiptCount", await storage.at("_receipts"), receipts);
  for (const { model, attestor } of await storage.events("AttestorSet")) {
    same("isAttestor", await storage.at("_isAttestor", model, attestor), await contract.isAttestor(model, attestor, at));
  }
  for (const attestor of new Set((await storage.events("Bonded")).map(({ attestor }) => attestor))) {
    await proveBond(storage, attestor, at);
  }
  for (const { requestId } of await storage.events("ReceiptFrozen")) {
    const challenge = await storage.at("_challengeOf", requestId);
    same("challengeOf", [challenge.challenger, challenge.stake], [...(await contract.challengeOf(requestId, at))]);
  }
  return `${models} models, ${receipts} receipts`;
}

async function proveModel(storage, model, at) {
  const { contract } = storage;
  const what = `model ${model}`;
  const kept = await storage.at("_modelOf", model);
  const shown = await contract.modelOf(model, at);
  sameAs(what, kept, shown, "owner", "registeredAt", "receipts");
  sameAs(what, kept, shown.spec, "base", "adapterHash", "trainingHash", "method", "bandPpm", "metadataURI");
  sameAs(what, kept, shown.spec.split, ["platformBps", "platform"], ["modelBps", "model"], ["stakersBps", "stakers"]);
  sameAs(what, kept, shown.spec.price, "perTokenIn", "perTokenOut", "platformFee");
  const standing = await contract.standingOf(model, at);
  sameAs(what, kept, standing, "validUntil", "endedBy");
  sameAs(what, kept, standing.extras, "dataOrderSeed", "hyperParameters", "checkpointRoot", "purposes", "regions");
  same(`${what}.depth`, [kept.depth & 0x7fn, kept.depth >> 7n === 1n], [standing.depth, standing.extras.shareAlike]);
  same(`${what}.parents`, kept.parents.filter((parent) => parent !== 0n), [...standing.extras.parents]);
  const faithfulness = await contract.faithfulnessOf(model, at);
  sameAs(`faithfulness of ${what}`, kept, faithfulness, "ldsPpm", "errorPpm", "samples", "publishedAt", "evidence");
  same(`number of datasets of ${what}`, kept.datasets, BigInt(shown.spec.datasets.length));
  for (const [n, { datanet, version }] of shown.spec.datasets.entries()) {
    const packed = await storage.at("_datasets", model, n);
    same(`dataset ${n} of ${what}`, [packed & ((1n << 64n) - 1n), (packed >> 64n) & 0xffffffffn], [datanet, version]);
  }
  return kept;
}

/// Gives its attestor.
async function proveReceipt(storage, id, at) {
  const { contract } = storage;
  const what = `receipt ${id}`;
  const kept = await storage.at("_receiptOf", id);
  sameAs(what, kept, await contract.receiptOf(id, at),
    "model", "attestor", "settledAt", "blockNumber", ["shares", "shareCount"], "unattributedPpm", "tokensIn", "tokensOut",
    "answerHash", "scoreRoot", "fee", "contributorsWei", "number", "tailPpm", "status");
  const widths = [kept.contributionBits, kept.rowBits, kept.ppmBits];
  const width = widths.reduce((sum, bits) => sum + bits);
  const perWord = kept.shares === 0n ? 1n : 256n / width;
  // By its place: an array's own `entries` hides the field of that name.
  const shown = (await contract.lineageOf(id, 0, 256, at))[6].toArray();
  same(`number of shares of ${what}`, BigInt(shown.length), kept.shares);
  let packed = 0n;
  for (const [n, share] of shown.entries()) {
    if (BigInt(n) % perWord === 0n) packed = await storage.at("_shares", id, BigInt(n) / perWord);
    let from = (BigInt(n) % perWord) * width;
    const [contribution, row, ppm] = widths.map((bits) => {
      const value = (packed >> from) & ((1n << bits) - 1n);
      from += bits;
      return value;
    });
    same(`share ${n} of ${what}`, [kept.base + contribution, row, ppm], [share.contribution, share.row, share.ppm]);
  }
  if (kept.tailPpm > 0n) {
    sameAs(`tail of ${what}`, await storage.at("_tailOf", id), await contract.tailOf(id, at),
      "root", "leaves", "amount", ["claimed", "claimedWei"]);
  }
  return kept.attestor;
}

/// What is locked is what the buckets hold, and what is frozen.
async function proveBond(storage, attestor, at) {
  const kept = await storage.at("_bondOf", attestor);
  const [total] = await storage.contract.bondOf(attestor, at);
  same(`bond of ${attestor}`, kept.total, total);
  const buckets = (await storage.at("_locks", attestor)).map((packed) => [packed & ((1n << 64n) - 1n), packed >> 64n]);
  const held = buckets.filter(([bucket]) => kept.first <= bucket && bucket <= kept.last);
  same(`what is locked of ${attestor}`, kept.locked, held.reduce((sum, [, amount]) => sum + amount, kept.frozen));
}
