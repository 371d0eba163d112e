// Deploys AnswerDesk on a devnet with ethers and uses every precompile through it.
import {
  AbiCoder, Contract, ContractFactory, JsonRpcProvider, Wallet, WebSocketProvider, hexlify, id, isError, keccak256,
  randomBytes,
} from "ethers";
import {
  account, answerDesk, devnet, domain, inTime, licence, metadataURI, predeploys, rows, run, same, sameFields, stakeWei,
  timeoutMs, tokens, unknownId, unstakeWei,
} from "./devnet.mjs";

await run("ethers", async () => {
  const provider = new JsonRpcProvider(devnet.l2_http, undefined, { polling: true, cacheTimeout: -1 });
  provider.pollingInterval = 200;
  const socket = new WebSocketProvider(devnet.l2_ws);
  const signer = new Wallet(account.private_key, provider);
  same("address of the key", signer.address, account.address);
  const { chainId } = await provider.getNetwork();
  const [datanets, attribution, payouts, datanetToken, contributionToken] =
    ["datanets", "attribution", "payouts", "datanetToken", "contributionToken"].map(
      (name) => new Contract(predeploys[name].address, predeploys[name].abi, provider),
    );

  const mined = async (what, transaction) => {
    const receipt = await (await transaction).wait(1, timeoutMs);
    same(`${what}: status`, receipt.status, 1);
    return receipt;
  };
  const event = async (receipt, contract, name, expected) => {
    const address = (await contract.getAddress()).toLowerCase();
    const found = receipt.logs
      .filter((log) => log.address.toLowerCase() === address)
      .map((log) => contract.interface.parseLog(log))
      .filter((log) => log?.name === name);
    same(`number of ${name}`, found.length, 1);
    sameFields(name, found[0].args, expected);
    return found[0].args;
  };
  const refused = async (name, args, call) => {
    const error = await call.then(() => undefined, (error) => error);
    if (!isError(error, "CALL_EXCEPTION")) throw new Error(`expected ${name}, got ${error ?? "no error"}`);
    same("error", error.revert?.name, name);
    same(name, error.revert.args.toArray(), args);
  };

  // The desk creates its Datanet.
  const schemaHash = id("question,answer");
  const factory = new ContractFactory(answerDesk.abi, answerDesk.bytecode, signer);
  const desk = await factory.deploy(schemaHash, domain, metadataURI);
  const deployed = await mined("deploy", desk.deploymentTransaction());
  const address = await desk.getAddress();
  same("address of the desk", deployed.contractAddress, address);
  const { datanet } = await event(deployed, desk, "Opened", { keeper: signer.address, domain });
  await event(deployed, datanets, "DatanetCreated", { datanet, owner: address, schemaHash, domain, metadataURI });
  await event(deployed, datanets, "CuratorSet", { datanet, curator: address, allowed: true });
  const created = await datanets.datanetOf(datanet);
  sameFields("datanetOf", created, { owner: address, contributions: 0n, schemaHash, domain, metadataURI });
  same("ownerOf the Datanet", await datanetToken.ownerOf(datanet), address);
  await refused("UnknownDatanet", [unknownId], datanets.datanetOf(unknownId));

  // It pledges rows; a block later it shows their root.
  const [root, salt] = [hexlify(randomBytes(32)), hexlify(randomBytes(32))];
  const commitment = await desk.commitmentOf(root, salt);
  const encoded = AbiCoder.defaultAbiCoder().encode(
    ["uint256", "uint64", "address", "bytes32", "bytes32"],
    [chainId, datanet, address, root, salt],
  );
  same("commitment", commitment, keccak256(encoded));
  const deposit = await datanets.commitDeposit();
  const anyone = desk.connect(provider);
  await refused("NotKeeper", [address], anyone.pledge.staticCall(commitment, { from: address }));
  const pledged = await mined("pledge", desk.pledge(commitment, { value: deposit }));
  const { priority } = await event(pledged, desk, "Pledged", { datanet, commitment, deposit });
  await event(pledged, datanets, "Committed", { owner: address, commitment, priority, deposit });
  await inTime("a block after the pledge", new Promise((resolve, reject) => {
    socket.on("block", (number) => number > pledged.blockNumber && resolve()).catch(reject);
  }));
  const heard = new Contract(address, answerDesk.abi, socket);
  let hear;
  const announced = inTime("Contributed over WebSocket", new Promise((resolve) => (hear = resolve)));
  announced.catch(() => {});
  await heard.once("Contributed", (...args) => hear(args.at(-1).args));
  const shown = await mined("contribute", desk.contribute(root, salt, rows, licence, 0));
  const { contribution } = await event(shown, desk, "Contributed", { datanet, rows: BigInt(rows) });
  const revealed = {
    datanet, owner: address, root, rows: BigInt(rows), licence: BigInt(licence), expiry: 0n, priority,
  };
  await event(shown, datanets, "Revealed", { contribution, ...revealed });
  sameFields("Contributed over WebSocket", await announced, { datanet, contribution, rows: BigInt(rows) });
  sameFields("contributionOf", await datanets.contributionOf(contribution), revealed);
  same("open commitment", (await datanets.commitmentOf(address, commitment)).toArray(), [0n, 0n, 0n]);
  same("ownerOf the contribution", await contributionToken.ownerOf(contribution), address);

  // It stakes and takes the stake back in two parts.
  const staked = await mined("stake", desk.stake({ value: stakeWei }));
  await event(staked, desk, "Staked", { total: stakeWei, locked: 0n });
  await event(staked, attribution, "Bonded", { attestor: address, amount: stakeWei, total: stakeWei });
  for (const [amount, total] of [[unstakeWei, stakeWei - unstakeWei], [stakeWei - unstakeWei, 0n]]) {
    const unstaked = await mined("unstake", desk.unstake(amount));
    await event(unstaked, desk, "Staked", { total, locked: 0n });
    await event(unstaked, attribution, "Unbonded", { attestor: address, amount, total });
    same("bondOf", (await attribution.bondOf(address)).toArray(), [total, 0n]);
  }

  // It asks the first model, where there is one.
  const terms = await desk.terms();
  const [minimum, maximum] = await payouts.deadlineBounds();
  sameFields("terms", terms, { commitDeposit: deposit, minimumDeadline: minimum, maximumDeadline: maximum, bonded: 0n });
  same("creditOf", await payouts.creditOf(address), 0n);
  let question = "no model to ask";
  let expectedEvents = 6;
  if (await attribution.modelCount()) {
    const { fee } = await payouts.quote(1, tokens, tokens);
    const { timestamp } = await provider.getBlock("latest");
    const deadline = BigInt(timestamp) + (minimum + 60n < maximum ? minimum + 60n : maximum);
    const promptHash = keccak256(root);
    const asked = await mined("ask", desk.ask(1, promptHash, deadline, { value: fee }));
    const { requestId } = await event(asked, desk, "Asked", { asker: signer.address, model: 1n, maxFee: fee, deadline });
    await event(asked, payouts, "Requested", {
      requestId, model: 1n, payer: address, promptHash, maxFee: fee, deadline,
    });
    const request = { payer: address, model: 1n, deadline, status: 1n, maxFee: fee, promptHash };
    sameFields("requestOf", await payouts.requestOf(requestId), request);
    question = `request ${requestId}`;
    expectedEvents = 7;
  }

  same("balance of the desk", await provider.getBalance(address), 0n);
  const logs = await provider.getLogs({ address, fromBlock: deployed.blockNumber });
  same("events of the desk", logs.length, expectedEvents);
  return `desk ${address}, datanet ${datanet}, contribution ${contribution}, ${question}`;
});
