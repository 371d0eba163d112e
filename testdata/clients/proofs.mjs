// Reads what the precompiles keep by eth_getProof, proves each slot up to a block's state root, and decodes it by the layout
// that docs/precompiles gives: it must say what the precompiles' own functions say. Play scenarios.sh before, so that there
// is something to read.
import { AbiCoder, Contract, JsonRpcProvider, decodeRlp, keccak256, toBeHex, zeroPadValue } from "ethers";
import { devnet, predeploys, run, same } from "./devnet.mjs";

const coder = AbiCoder.defaultAbiCoder();
const word = (value) => (typeof value === "string" ? zeroPadValue(value, 32) : toBeHex(value, 32));
/// The slot of `mapping[key]` of the mapping at `slot`.
const entry = (slot, ...keys) =>
  keys.reduce((at, key) => BigInt(keccak256(coder.encode(["bytes32", "uint256"], [word(key), at]))), BigInt(slot));

/// What a Merkle-Patricia proof says of a key: RLP, or undefined where there is nothing. Throws where it proves nothing.
function proven(root, key, proof) {
  const nibbles = [...keccak256(key).slice(2)];
  let expected = root;
  let place = 0;
  for (const [index, encoded] of proof.entries()) {
    same("hash of a proof's node", encoded.length >= 66 || index === 0 ? keccak256(encoded) : encoded, expected);
    const node = decodeRlp(encoded);
    if (node.length === 17) {
      if (place === 64) return node[16];
      expected = node[parseInt(nibbles[place], 16)];
      place += 1;
    } else {
      const path = [...node[0].slice(2)];
      const odd = parseInt(path[0], 16) % 2;
      const leaf = parseInt(path[0], 16) >= 2;
      const rest = path.slice(odd ? 1 : 2);
      if (nibbles.slice(place, place + rest.length).join("") !== rest.join("")) return undefined;
      place += rest.length;
      if (leaf) return place === 64 ? node[1] : undefined;
      expected = node[1];
    }
    if (expected === "0x") return undefined;
    // A node below 32 bytes stands within its parent, and is no element of its own in the proof.
    if (Array.isArray(expected)) throw new Error("a short node, which a trie of hashed keys does not have");
  }
  throw new Error("the proof ends early");
}

/// Takes a slot's fields from its low bytes: [name, bits] each; an address has 160 of kind "address", a hash 256.
function fields(value, layout) {
  let rest = BigInt(value);
  const all = {};
  for (const [name, bits, kind] of layout) {
    const part = rest & ((1n << BigInt(bits)) - 1n);
    all[name] = kind ? toBeHex(part, bits / 8) : part;
    rest >>= BigInt(bits);
  }
  same(`what is above the fields ${layout.map(([name]) => name)}`, rest, 0n);
  return all;
}

const address = (name) => [name, 160, "address"];
const hash = (name) => [name, 256, "hash"];

await run("proofs", async () => {
  const provider = new JsonRpcProvider(devnet.l2_http, undefined, { cacheTimeout: -1 });
  const { datanets, attribution, payouts } = Object.fromEntries(
    ["datanets", "attribution", "payouts"].map((name) => [
      name, new Contract(predeploys[name].address, predeploys[name].abi, provider),
    ]),
  );
  const number = (await provider.getBlockNumber()).toString();
  const blockTag = toBeHex(BigInt(number)).replace(/^0x0+(?=.)/, "0x");
  const { stateRoot } = await provider.send("eth_getBlockByNumber", [blockTag, false]);
  const at = { blockTag };
  let slots = 0;

  /// The proven values of consecutive slots of a contract.
  const read = async (contract, first, count = 1) => {
    const target = await contract.getAddress();
    const keys = Array.from({ length: count }, (_, n) => toBeHex((first + BigInt(n)) & ((1n << 256n) - 1n), 32));
    const answer = await provider.send("eth_getProof", [target, keys, blockTag]);
    const account = decodeRlp(proven(stateRoot, target, answer.accountProof));
    same("the account's nonce", account[0], "0x01");
    same("the account's storage root", account[2], answer.storageHash);
    same("the account's code", account[3], keccak256("0xef"));
    return answer.storageProof.map(({ key, value, proof }, n) => {
      same("key", BigInt(key), BigInt(keys[n]));
      const rlp = proven(answer.storageHash, keys[n], proof);
      same("value of a slot", BigInt(value), rlp === undefined ? 0n : BigInt(decodeRlp(rlp)));
      slots += 1;
      return BigInt(value);
    });
  };
  const record = async (contract, first, ...layouts) => {
    const values = await read(contract, first, layouts.length);
    return Object.assign({}, ...values.map((value, n) => fields(value, layouts[n])));
  };
  /// A string as Solidity stores it.
  const text = async (contract, slot) => {
    const [head] = await read(contract, slot);
    if ((head & 1n) === 0n) return Buffer.from(word(head).slice(2), "hex").subarray(0, Number(head & 0xffn) / 2).toString();
    const length = Number(head >> 1n);
    const values = await read(contract, BigInt(keccak256(word(slot))), Math.ceil(length / 32));
    return Buffer.concat(values.map((value) => Buffer.from(word(value).slice(2), "hex"))).subarray(0, length).toString();
  };

  // Datanets.
  const counted = await record(datanets, 0n, [["commitDeposit", 256]],
    [["revealWindow", 64], ["datanets", 64], ["contributions", 64], ["commitments", 64]]);
  same("commitDeposit", counted.commitDeposit, await datanets.commitDeposit(at));
  same("revealWindow", counted.revealWindow, await datanets.revealWindow(at));
  same("datanetCount", counted.datanets, await datanets.datanetCount(at));
  same("contributionCount", counted.contributions, await datanets.contributionCount(at));
  if (counted.contributions === 0n) throw new Error("no contributions yet: play scenarios.sh first");
  const owners = new Set();
  for (let datanet = 1n; datanet <= counted.datanets; datanet++) {
    const shown = await datanets.datanetOf(datanet, at);
    const first = entry(2, datanet);
    const kept = await record(datanets, first,
      [address("owner"), ["contributions", 32], ["versions", 32], ["withdrawals", 32]],
      [["createdAt", 64], ["specials", 32], ["depth", 8], ["ancestors", 8], ["ruleFlags", 8], ["requiredUses", 16],
        ["maxRows", 32]],
      [hash("schemaHash")]);
    for (const name of ["owner", "contributions", "versions", "createdAt", "schemaHash"]) {
      same(`datanetOf(${datanet}).${name}`, kept[name], shown[name]);
    }
    same("domain", await text(datanets, first + 3n), shown.domain);
    same("metadataURI", await text(datanets, first + 4n), shown.metadataURI);
    same("isCurator", (await read(datanets, entry(3, datanet, kept.owner)))[0] === 1n,
      await datanets.isCurator(datanet, kept.owner, at));
    owners.add(kept.owner);
    for (let version = 1n; version <= kept.versions; version++) {
      const shownVersion = await datanets.versionOf(datanet, version, at);
      const keptVersion = await record(datanets, entry(6, datanet, version), [hash("root")], [hash("clusterRoot")],
        [["publishedAt", 64], ["rows", 64], ["contributions", 32], ["clusters", 32], ["licence", 16]],
        [["expiry", 64], ["firstToExpire", 64], ["forbidsDeriving", 64], ["specials", 32]]);
      for (const name of ["root", "clusterRoot", "publishedAt", "rows", "contributions", "clusters", "licence", "expiry"]) {
        same(`versionOf(${datanet}, ${version}).${name}`, keptVersion[name], shownVersion[name]);
      }
    }
  }
  const credited = new Set();
  for (let contribution = 1n; contribution <= counted.contributions; contribution++) {
    const shown = await datanets.contributionOf(contribution, at);
    const kept = await record(datanets, entry(4, contribution),
      [address("owner"), ["datanet", 64], ["rows", 32]],
      [["uses", 16], ["expiry", 64], ["priority", 64], ["sinceVersion", 32], ["status", 8], ["flags", 8], ["sets", 32]],
      [hash("root")],
      [["purposes", 32], ["regions", 32], ["fee", 128], ["withdrawnAfter", 64]],
      [["tombstonedAt", 64]]);
    for (const name of ["owner", "datanet", "rows", "expiry", "priority", "sinceVersion", "status", "root"]) {
      same(`contributionOf(${contribution}).${name}`, kept[name], shown[name]);
    }
    const terms = await datanets.termsOf(contribution, at);
    for (const name of ["uses", "purposes", "regions", "fee", "expiry"]) same(`terms.${name}`, kept[name], terms[name]);
    same("terms.shareAlike", (kept.flags & 1n) === 1n, terms.shareAlike);
    same("terms.revocable", (kept.flags & 2n) === 2n, terms.revocable);
    const earner = await record(datanets, entry(9, contribution), [["accrued", 96], ["datanet", 40], ["receipts", 40],
      ["sinceVersion", 32], ["rows", 24], ["flags", 8]]);
    const accrued = await payouts.accruedOf(contribution, at);
    same("accrued", [earner.accrued, earner.receipts], [accrued[0], accrued[1]]);
    same("earner", [earner.datanet, earner.rows, earner.sinceVersion], [kept.datanet, kept.rows, kept.sinceVersion]);
    const set = entry(10, contribution, kept.sets - 1n);
    const head = await record(datanets, set,
      [address("title"), ["titleBps", 16], ["coOwners", 8], ["sinceReceipt", 64]]);
    const all = [[head.title, head.titleBps]];
    for (let n = 1n; n <= head.coOwners; n++) {
      const other = await record(datanets, set + n, [address("account"), ["bps", 16]]);
      all.push([other.account, other.bps]);
    }
    const shownOwners = await datanets.ownersOf(contribution, at);
    same("ownersOf", all, shownOwners.map(({ account, bps }) => [account, bps]));
    all.forEach(([account]) => credited.add(account));
  }
  for (const owner of owners) {
    same("datanetBalanceOf", (await read(datanets, entry(7, owner)))[0], await datanets.datanetBalanceOf(owner, at));
  }
  for (const account of credited) {
    same("contributionBalanceOf", (await read(datanets, entry(8, account)))[0],
      await datanets.contributionBalanceOf(account, at));
  }

  // Attribution.
  const models = await record(attribution, 0n, [["challengeWindow", 64], ["models", 64], ["receipts", 64]]);
  same("challengeWindow", models.challengeWindow, await attribution.challengeWindow(at));
  same("modelCount", models.models, await attribution.modelCount(at));
  let receipts = 0n;
  for (let model = 1n; model <= models.models; model++) {
    const shown = await attribution.modelOf(model, at);
    const first = entry(1, model);
    const kept = await record(attribution, first,
      [address("owner"), ["registeredAt", 64], ["bandPpm", 32]],
      [["receipts", 64], ["platformBps", 16], ["modelBps", 16], ["stakersBps", 16], ["datasets", 8], ["depth", 8],
        ["validUntil", 64], ["endedBy", 64]],
      [hash("base")], [hash("adapterHash")], [hash("trainingHash")], [hash("method")],
      [["perTokenIn", 128], ["perTokenOut", 128]],
      [["platformFee", 128], ["purposes", 32], ["regions", 32]]);
    same("model", [kept.owner, kept.registeredAt, kept.receipts], [shown.owner, shown.registeredAt, shown.receipts]);
    for (const name of ["base", "adapterHash", "trainingHash", "method", "bandPpm"]) {
      same(`modelOf(${model}).${name}`, kept[name], shown.spec[name]);
    }
    same("split", [kept.platformBps, kept.modelBps, kept.stakersBps],
      [shown.spec.split.platform, shown.spec.split.model, shown.spec.split.stakers]);
    same("price", [kept.perTokenIn, kept.perTokenOut, kept.platformFee],
      [shown.spec.price.perTokenIn, shown.spec.price.perTokenOut, shown.spec.price.platformFee]);
    same("the model's URI", await text(attribution, first + 8n), shown.spec.metadataURI);
    same("isAttestor", (await read(attribution, entry(2, model, kept.owner)))[0] === 1n,
      await attribution.isAttestor(model, kept.owner, at));
    const packed = await read(attribution, entry(7, model), Math.ceil(Number(kept.datasets) / 2));
    const datasets = shown.spec.datasets.map((_, n) => {
      const half = (packed[n >> 1] >> BigInt(128 * (n & 1))) & ((1n << 128n) - 1n);
      const { datanet, version } = fields(half, [["datanet", 64], ["version", 32], ["checked", 32]]);
      return [datanet, version];
    });
    same("datasets", datasets, shown.spec.datasets.map(({ datanet, version }) => [datanet, version]));

    for (let place = 0n; place < kept.receipts; place++) {
      const id = word((await read(attribution, entry(8, model, place)))[0]);
      const shownReceipt = await attribution.receiptOf(id, at);
      const receipt = await record(attribution, entry(5, id),
        [["model", 64], address("attestor"), ["tokensIn", 32]],
        [["settledAt", 40], ["blockNumber", 40], ["number", 40], ["base", 40], ["shares", 16], ["unattributedPpm", 24],
          ["tailPpm", 24], ["status", 8], ["contributionBits", 8], ["rowBits", 8], ["ppmBits", 8]],
        [hash("answerHash")], [hash("scoreRoot")],
        [["fee", 112], ["contributorsWei", 112], ["tokensOut", 32]]);
      for (const name of ["model", "attestor", "settledAt", "answerHash", "scoreRoot", "fee", "contributorsWei", "status",
        "unattributedPpm"]) {
        same(`receiptOf(${id}).${name}`, receipt[name], shownReceipt[name]);
      }
      const [a, b, c] = [receipt.contributionBits, receipt.rowBits, receipt.ppmBits];
      const perWord = receipt.shares === 0n ? 1n : 256n / (a + b + c);
      const words = await read(attribution, entry(6, id), Math.ceil(Number(receipt.shares) / Number(perWord)));
      // By its place: an array's own `entries` hides the field of that name.
      const shownShares = (await attribution.lineageOf(id, 0, 256, at))[6];
      same("shares", BigInt(shownShares.length), receipt.shares);
      for (const [n, shownShare] of shownShares.toArray().entries()) {
        const from = (BigInt(n) % perWord) * (a + b + c);
        const bits = (at, width) => (words[Number(BigInt(n) / perWord)] >> at) & ((1n << width) - 1n);
        same(`share ${n} of ${id}`, [receipt.base + bits(from, a), bits(from + a, b), bits(from + a + b, c)],
          [shownShare.contribution, shownShare.row, shownShare.ppm]);
      }
      const bond = await record(attribution, entry(3, receipt.attestor),
        [["total", 128], ["locked", 128]], [["frozen", 128], ["first", 64], ["last", 64]]);
      same("bond", bond.total, (await attribution.bondOf(receipt.attestor, at))[0]);
      credited.add(receipt.attestor);

      const request = await record(payouts, entry(2, id), [address("payer"), ["model", 64], ["status", 8]],
        [["deadline", 64], ["createdAt", 64], ["maxFee", 128]], [hash("promptHash")]);
      const shownRequest = await payouts.requestOf(id, at);
      for (const name of ["payer", "model", "status", "deadline", "createdAt", "maxFee", "promptHash"]) {
        same(`requestOf(${id}).${name}`, request[name], shownRequest[name]);
      }
      receipts += 1n;
    }
  }
  same("receipts", receipts, models.receipts);

  // Payouts.
  const settings = await record(payouts, 0n, [address("platform"), ["minimumDeadline", 64]], [["maximumDeadline", 64]]);
  same("platform", settings.platform, await payouts.platform(at));
  same("deadlines", [settings.minimumDeadline, settings.maximumDeadline], [...(await payouts.deadlineBounds(at))]);
  for (const account of credited.add(settings.platform)) {
    same("creditOf", (await read(payouts, entry(3, account)))[0], await payouts.creditOf(account, at));
  }
  return `${slots} slots proven at block ${number}: ${counted.datanets} Datanets, ${counted.contributions} contributions, ` +
    `${models.models} models, ${receipts} receipts, ${credited.size} credits`;
});
