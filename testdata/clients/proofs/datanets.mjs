// What Datanets keeps, beside what its functions show.
import { same } from "../devnet.mjs";
import { sameAs } from "./storage.mjs";

const count = (n, from = 1n) => Array.from({ length: Number(n) }, (_, index) => from + BigInt(index));

/// Adds to `people` whoever may hold something.
export async function proveDatanets(storage, payouts, people, at) {
  const { contract } = storage;
  const number = async (label) => storage.at(label);
  same("commitDeposit", await number("_commitDeposit"), await contract.commitDeposit(at));
  same("revealWindow", await number("_revealWindow"), await contract.revealWindow(at));
  same("commitments", await number("_commitments"), BigInt((await storage.events("Committed")).length));
  const datanets = await number("_datanets");
  same("datanetCount", datanets, await contract.datanetCount(at));
  const contributions = await number("_contributions");
  same("contributionCount", contributions, await contract.contributionCount(at));
  for (const datanet of count(datanets)) people.add(await proveDatanet(storage, datanet, at));
  for (const contribution of count(contributions)) {
    for (const account of await proveContribution(storage, payouts, contribution, at)) people.add(account);
  }
  for (const { owner, commitment } of await storage.events("Committed")) {
    const kept = await storage.at("_commitmentOf", owner, commitment);
    same("commitmentOf", Object.values(kept), [...(await contract.commitmentOf(owner, commitment, at))]);
  }
  for (const { datanet, curator } of await storage.events("CuratorSet")) {
    same("isCurator", await storage.at("_isCurator", datanet, curator), await contract.isCurator(datanet, curator, at));
  }
  for (const { datanet, moderator } of await storage.events("ModeratorSet")) {
    same("isModerator", await storage.at("_isModerator", datanet, moderator),
      await contract.isModerator(datanet, moderator, at));
  }
  await proveClusters(storage, at);
  await proveGrants(storage, at);
  for (const account of people) {
    same("datanetBalanceOf", await storage.at("_datanetBalanceOf", account), await contract.datanetBalanceOf(account, at));
    same("contributionBalanceOf", await storage.at("_contributionBalanceOf", account),
      await contract.contributionBalanceOf(account, at));
  }
  return `${datanets} Datanets, ${contributions} contributions`;
}

async function proveDatanet(storage, datanet, at) {
  const { contract } = storage;
  const what = `Datanet ${datanet}`;
  const kept = await storage.at("_datanetOf", datanet);
  sameAs(what, kept, await contract.datanetOf(datanet, at),
    "owner", "contributions", "versions", "createdAt", "schemaHash", "domain", "metadataURI");
  const rules = await contract.rulesOf(datanet, at);
  sameAs(what, kept, rules, "requiredUses", "maxRows");
  same(`${what}.flags`, kept.ruleFlags,
    BigInt(rules.closed) + 2n * BigInt(rules.approvalRequired) + 4n * BigInt(rules.revocableAllowed));
  const [depth, ancestors] = await contract.ancestorsOf(datanet, at);
  same(`${what}.depth`, [kept.depth, kept.ancestors], [depth, BigInt(ancestors.length)]);
  for (const [n, ancestor] of ancestors.entries()) {
    const packed = await storage.at("_ancestors", datanet, n);
    same(`${what}.ancestor`, [packed & ((1n << 64n) - 1n), (packed >> 64n) & 0xffffffffn, packed >> 96n === 1n],
      [...ancestor]);
  }
  let specials = 0n;
  for (const version of count(kept.versions)) {
    const keptVersion = await storage.at("_versionOf", datanet, version);
    sameAs(`version ${version} of ${what}`, keptVersion, await contract.versionOf(datanet, version, at),
      "root", "clusterRoot", "publishedAt", "rows", "contributions", "clusters", "licence", "expiry");
    specials = keptVersion.specials;
  }
  same(`${what}.specials`, kept.specials, specials);
  for (const n of count(kept.specials, 0n)) {
    const { fee, purposes, regions, shareAlike, uses } =
      await contract.termsOf(await storage.at("_specials", datanet, n), at);
    const special = fee || purposes || regions || shareAlike || (uses & 3n) !== 3n;
    same(`special ${n} of ${what}`, Boolean(special), true);
  }
  const withdrawn = await storage.events("LicenceWithdrawn");
  const own = withdrawn.filter((event) => event.datanet === datanet).map(({ contribution }) => contribution);
  same(`${what}.withdrawals`, kept.withdrawals, BigInt(own.length));
  for (const [n, contribution] of own.entries()) {
    same(`withdrawal ${n} of ${what}`, await storage.at("_withdrawals", datanet, n), contribution);
  }
  return kept.owner;
}

/// Gives its owners.
async function proveContribution(storage, payouts, contribution, at) {
  const { contract } = storage;
  const what = `contribution ${contribution}`;
  const kept = await storage.at("_contributionOf", contribution);
  sameAs(what, kept, await contract.contributionOf(contribution, at),
    "owner", "datanet", "rows", ["uses", "licence"], "expiry", "priority", "sinceVersion", "status", "root");
  const terms = await contract.termsOf(contribution, at);
  sameAs(`terms of ${what}`, kept, terms, "uses", "purposes", "regions", "fee", "expiry");
  same(`flags of ${what}`, kept.flags, BigInt(terms.shareAlike) + 2n * BigInt(terms.revocable));
  same(`end of ${what}`, [kept.withdrawnAfter, kept.tombstonedAt], [...(await contract.endOf(contribution, at))]);
  const earner = await storage.at("_earnerOf", contribution);
  same(`accrued by ${what}`, [earner.accrued, earner.receipts], [...(await payouts.accruedOf(contribution, at))]);
  sameAs(`earner of ${what}`, earner, kept, "datanet", "rows", "sinceVersion");
  same(`erasure of ${what}`, (earner.flags & 1n) === 1n, kept.tombstonedAt !== 0n);
  const set = await storage.at("_ownerSets", contribution, kept.sets - 1n);
  const others = set.others.map(({ account, bps }) => [account, bps]);
  const owners = [[set.title, set.titleBps], ...others.slice(0, Number(set.coOwners))];
  const shown = await contract.ownersOf(contribution, at);
  same(`owners of ${what}`, owners, shown.map(({ account, bps }) => [account, bps]));
  const challenge = await storage.at("_challengeOf", contribution);
  same(`challenge of ${what}`, challenge.deposit > 0n, kept.status === 3n);
  return owners.map(([account]) => account);
}

async function proveClusters(storage, at) {
  const { contract } = storage;
  const clusters = await storage.at("_clusters");
  same("clusterCount", clusters, await contract.clusterCount(at));
  for (const { cluster, copies } of await storage.events("ClusterRecorded")) {
    const kept = await storage.at("_clusterOf", cluster);
    sameAs(`cluster ${cluster}`, kept, await contract.clusterOf(cluster, at),
      "datanet", "contribution", "row", "copies", "status", "challenger", "deposit", "evidence");
    for (const [n, { contribution, row }] of copies.entries()) {
      same(`copy ${n} of cluster ${cluster}`, await storage.at("_copies", cluster, n), contribution | (row << 64n));
      const copy = await storage.at("_copyOf", contribution, row);
      const [, first] = await contract.canonicalOf(contribution, row, at);
      same(`cluster of row ${row}`, copy.cluster, first);
      if (copy.cluster === cluster) sameAs(`canonical of row ${row}`, copy, kept, "contribution", "row");
    }
  }
}

async function proveGrants(storage, at) {
  const { contract } = storage;
  const all = (1n << 32n) - 1n;
  const limit = (kept) => (kept === all ? 0n : kept);
  for (const { contribution, grantee } of await storage.events("Granted")) {
    const what = `grant of ${contribution}`;
    const kept = await storage.at("_grantOf", contribution, grantee);
    const [terms, models] = await contract.grantOf(contribution, grantee, at);
    sameAs(what, kept, terms, "uses", "until");
    same(what, [limit(kept.purposes), limit(kept.regions), kept.models], [terms.purposes, terms.regions, models]);
    for (const n of count(models, 0n)) {
      same(`${what}: model ${n}`, (await storage.at("_grantModels", contribution, grantee, n)) > 0n, true);
    }
  }
}
