// Leaves on a devnet one record of every kind that the precompiles keep, for proofs.mjs to read.
import { AbiCoder, Contract, JsonRpcProvider, Wallet, id, keccak256, solidityPackedKeccak256 } from "ethers";
import { account, artifact, devnet, inTime, predeploys, run, same } from "./devnet.mjs";

const COURT = "0x4f50454e00000000000000000000000000000104";
const ALL_USES = 15;
const TRAIN = 1;
const SERVE = 2;
const FUNDS_WEI = 10n ** 16n;
/// Enough for any of the calls; estimates would not know of those still to be mined.
const gasLimit = 2_000_000;

await run("records", async () => {
  const provider = new JsonRpcProvider(devnet.l2_http, undefined, { cacheTimeout: -1, pollingInterval: 200 });
  const wallet = new Wallet(account.private_key, provider);
  const other = Wallet.createRandom().connect(provider);
  const contract = ({ address, abi }) => new Contract(address, abi, wallet);
  const datanets = contract(predeploys.datanets);
  const attribution = contract(predeploys.attribution);
  const payouts = contract(predeploys.payouts);
  const court = new Contract(COURT, artifact("Court").abi, wallet);
  const { chainId } = await provider.getNetwork();
  /// What the precompiles call a commitment, request, channel or stream.
  const name = (parts) => keccak256(AbiCoder.defaultAbiCoder().encode(
    ["uint256", ...parts.map(([type]) => type)], [chainId, ...parts.map(([, value]) => value)],
  ));

  let nonce = await wallet.getNonce();
  /// Sends calls one after the other and waits until all are mined; each is a contract, a function and its arguments.
  const send = async (...calls) => {
    const sent = [];
    for (const [target, name, args, value = 0n] of calls) {
      sent.push([name, await target[name](...args, { nonce: nonce++, gasLimit, value })]);
    }
    return Promise.all(sent.map(async ([name, transaction]) => {
      const receipt = await inTime(name, provider.waitForTransaction(transaction.hash));
      same(`${name}: status`, receipt.status, 1);
      return receipt;
    }));
  };
  const now = async () => BigInt((await provider.getBlock("latest")).timestamp);

  // Three Datanets: one with rules, one whose contribution has a fee, and one that will be derived from the first.
  const before = await datanets.datanetCount();
  const contributed = await datanets.contributionCount();
  const schema = id(`records ${before}`);
  const rules = { closed: false, approvalRequired: false, revocableAllowed: true, requiredUses: TRAIN, maxRows: 1_000 };
  const [base, sold, derived] = [before + 1n, before + 2n, before + 3n];
  const deposit = await datanets.commitDeposit();
  const salts = Array.from({ length: 5 }, (_, n) => id(`salt ${n} ${before}`));
  const datanetOf = (n) => (n === 2 ? sold : base);
  const commitment = (n) => name([["uint64", datanetOf(n)], ["address", wallet.address], ["bytes32", schema], ["bytes32", salts[n]]]);
  await send(
    [datanets, "createDatanetWith", [schema, "records", "ipfs://a-metadata-uri-longer-than-one-word-of-storage", rules, []]],
    [datanets, "createDatanet", [schema, "sold", ""]],
    [datanets, "setModerator", [base, other.address, true]],
    ...salts.map((_, n) => [datanets, "commit", [commitment(n)], deposit]),
    [court, "stake", [], FUNDS_WEI],
  );
  // Four are shown, the last one stays open: a common one, one that can be withdrawn, one with a fee, one to be disputed.
  const terms = { uses: ALL_USES, purposes: 0, regions: 0, expiry: 0, fee: 0, shareAlike: false, revocable: false };
  const coOwners = [{ account: other.address, bps: 2_500 }];
  const reveal = (n, changed, owners = []) =>
    [datanets, "revealWith", [datanetOf(n), schema, salts[n], 10, { ...terms, ...changed }, owners]];
  await send(reveal(0, {}), reveal(1, { revocable: true }), reveal(2, { fee: 1_000, purposes: 3 }, coOwners), reveal(3, {}));
  const [common, revocable, costly, disputed] = [1n, 2n, 3n, 4n].map((n) => contributed + n);

  // Versions; near-duplicates, of which one record is challenged; a licence withdrawn for later; a grant bought.
  const row = (contribution, n) => ({ contribution, row: n });
  const later = (await now()) + 100_000n;
  await send(
    [datanets, "publishVersion", [base, [common, revocable], id("clusters"), 1]],
    [datanets, "publishVersion", [sold, [costly], id("clusters"), 0]],
    [datanets, "createDatanetWith", [schema, "derived", "", rules, [{ datanet: base, version: 1 }]]],
    [datanets, "recordCluster", [base, row(common, 0), [1, 2, 3].map((n) => row(revocable, n)), id("evidence")]],
    [datanets, "recordCluster", [base, row(common, 1), [row(revocable, 4)], id("evidence")]],
    [datanets, "challengeContribution", [disputed, "records"], deposit],
    [datanets, "withdrawLicence", [revocable, later]],
    [datanets, "buyGrant", [costly], 1_000n],
    [datanets, "grant", [common, other.address, { uses: TRAIN | SERVE, purposes: 1, regions: 2, until: later }]],
  );
  const cluster = await datanets.clusterCount();
  same("ancestors", (await datanets.ancestorsOf(derived))[1].length, 1);

  // Two models: one on what is open, and one composed of it that relies on the grant.
  const models = await attribution.modelCount();
  const [first, composed] = [models + 1n, models + 2n];
  const spec = {
    base: id("base"), adapterHash: id("adapter"), trainingHash: id("training"), method: id("method"), bandPpm: 100,
    price: { perTokenIn: 10n ** 9n, perTokenOut: 3n * 10n ** 9n, platformFee: 10n ** 9n },
    split: { platform: 500, model: 2_500, stakers: 1_000, contributors: 6_000 },
    datasets: [{ datanet: base, version: 1 }], metadataURI: "ipfs://model",
  };
  const extras = {
    parents: [first], dataOrderSeed: id("seed"), hyperParameters: id("hyper"), checkpointRoot: id("checkpoints"),
    purposes: 1, regions: 0, shareAlike: false,
  };
  const deadline = (await now()) + 600n;
  const requestOf = (salt) =>
    name([["address", wallet.address], ["uint64", first], ["bytes32", id(salt)], ["uint64", deadline]]);
  await send(
    [datanets, "challengeCluster", [cluster, id("doubt")], deposit],
    [attribution, "registerModel", [spec]],
    [attribution, "registerModelWith", [{ ...spec, datasets: [{ datanet: sold, version: 1 }] }, extras]],
    [attribution, "publishFaithfulness", [composed, -17, 3, 64, id("faith")]],
    [attribution, "bond", [], FUNDS_WEI],
    [payouts, "request", [first, id("tailed"), deadline], 10n ** 13n],
    [payouts, "request", [first, id("doubted"), deadline], 10n ** 13n],
    [payouts, "request", [first, id("open"), deadline], 10n ** 13n],
  );
  same("models that rely on the grant", (await datanets.grantOf(costly, wallet.address))[1], 1n);
  const [tailed, doubted] = ["tailed", "doubted"].map(requestOf);

  // A receipt with a long tail of one leaf, which is claimed, and one that goes before the court.
  const { contributors } = await payouts.quote(first, 100, 50);
  const inline = 400_000n;
  const amount = contributors - contributors * inline / 1_000_000n;
  const leaf = { index: 0, contribution: revocable, amount, siblings: [], sums: [] };
  const root = solidityPackedKeccak256(["uint8", "uint32", "uint64", "uint256"], [0, 0, revocable, amount]);
  const receipt = {
    requestId: tailed, answerHash: id("answer"), scoreRoot: id("scores"), tokensIn: 100, tokensOut: 50,
    unattributedPpm: 0, shares: [{ contribution: common, row: 5, ppm: inline }],
  };
  const judges = [wallet.address].map((judge) => ({ account: judge, key: id("key") }));
  const second = { account: other.address, key: id("key") };
  const appeal = [...judges, second].sort((a, b) => (BigInt(a.account) < BigInt(b.account) ? -1 : 1));
  await wallet.sendTransaction({ to: other.address, value: 2n * FUNDS_WEI, nonce: nonce++, gasLimit: 21_000n })
    .then((transaction) => inTime("funds", transaction.wait()));
  const staked = court.connect(other).stake({ value: FUNDS_WEI, gasLimit });
  await send(
    [attribution, "settleTail", [receipt, { root, ppm: 600_000, leaves: 1 }]],
    [attribution, "settle", [{ ...receipt, requestId: doubted, unattributedPpm: 600_000 }]],
    [payouts, "claimTail", [tailed, leaf]],
  );
  same("status of the other's stake", (await inTime("stake", (await staked).wait())).status, 1);
  const expiry = (await now()) + 4_000n;
  const self = ["address", wallet.address];
  const channel = name([self, self, self, ["bytes32", schema]]);
  const stream = name([self, self, ["uint128", 10n], ["bytes32", schema]]);
  const signed = (types, message) => wallet.signTypedData(
    { name: "OpenLedger Payouts", version: "1", chainId, verifyingContract: predeploys.payouts.address }, types, message,
  );
  const voucher = await signed(
    { Voucher: [{ name: "channel", type: "bytes32" }, { name: "cumulative", type: "uint256" }] }, { channel, cumulative: 7n },
  );
  const claim = { account: wallet.address, to: other.address, nonce: await payouts.nonces(wallet.address), deadline };
  const claimed = await signed({
    Claim: [{ name: "account", type: "address" }, { name: "to", type: "address" }, { name: "nonce", type: "uint256" },
      { name: "deadline", type: "uint256" }],
  }, claim);
  await send(
    [court, "setJudges", [first, judges, appeal]],
    [court, "challenge", [doubted, id("grounds")], await court.challengeStake()],
    [payouts, "openChannel", [wallet.address, wallet.address, expiry, schema], 1_000n],
    [payouts, "redeemVoucher", [channel, 7n, voucher]],
    [payouts, "openStream", [wallet.address, 10n, 0, schema], 10n ** 6n],
    [payouts, "claimBySignature", [wallet.address, other.address, deadline, claimed]],
  );
  await send([payouts, "drawStream", [stream]]);
  return `Datanets ${base} to ${derived}, clusters to ${cluster}, models ${first} and ${composed}, receipts ${tailed} and ` +
    `${doubted}, channel ${channel}, stream ${stream}`;
});
