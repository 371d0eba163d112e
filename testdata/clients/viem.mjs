// Deploys AnswerDesk on a devnet with viem and uses every precompile through it.
import {
  BaseError, ContractFunctionRevertedError, createPublicClient, createWalletClient, defineChain, encodeAbiParameters,
  http, keccak256, parseEventLogs, toHex, webSocket,
} from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import {
  account, answerDesk, devnet, domain, inTime, licence, metadataURI, predeploys, rows, run, same, sameFields, stakeWei,
  timeoutMs, tokens, unknownId, unstakeWei,
} from "./devnet.mjs";

const { datanets, attribution, payouts, datanetToken, contributionToken } = predeploys;

await run("viem", async () => {
  const transport = http(devnet.l2_http);
  const id = await createPublicClient({ transport }).getChainId();
  const nativeCurrency = { name: "OpenLedger", symbol: "OPEN", decimals: 18 };
  const chain = defineChain({ id, name: "devnet", nativeCurrency, rpcUrls: { default: { http: [devnet.l2_http] } } });
  const reader = createPublicClient({ chain, transport, pollingInterval: 200, cacheTime: 0 });
  const socket = createPublicClient({ chain, transport: webSocket(devnet.l2_ws) });
  const signer = privateKeyToAccount(account.private_key);
  same("address of the key", signer.address, account.address);
  const wallet = createWalletClient({ chain, transport, account: signer });

  const mined = async (what, hash) => {
    const receipt = await reader.waitForTransactionReceipt({ hash, timeout: timeoutMs });
    same(`${what}: status`, receipt.status, "success");
    return receipt;
  };
  const read = (contract, functionName, ...args) => reader.readContract({ ...contract, functionName, args });
  const event = (receipt, contract, eventName, expected) => {
    const logs = receipt.logs.filter((log) => log.address.toLowerCase() === contract.address.toLowerCase());
    const found = parseEventLogs({ abi: contract.abi, eventName, logs });
    same(`number of ${eventName}`, found.length, 1);
    sameFields(eventName, found[0].args, expected);
    return found[0].args;
  };
  const refused = async (errorName, errorArgs, call) => {
    const error = await call.then(() => undefined, (error) => error);
    const revert = error instanceof BaseError && error.walk((cause) => cause instanceof ContractFunctionRevertedError);
    if (!revert) throw new Error(`expected ${errorName}, got ${error ?? "no error"}`);
    same("error", revert.data?.errorName, errorName);
    same(errorName, revert.data.args, errorArgs);
  };

  // The desk creates its Datanet.
  const schemaHash = keccak256(toHex("question,answer"));
  const deployed = await mined(
    "deploy",
    await wallet.deployContract({ ...answerDesk, args: [schemaHash, domain, metadataURI] }),
  );
  const desk = { address: deployed.contractAddress, abi: answerDesk.abi };
  const send = async (functionName, args, value) =>
    mined(functionName, await wallet.writeContract({ ...desk, functionName, args, value }));
  const { datanet } = event(deployed, desk, "Opened", { keeper: signer.address, domain });
  event(deployed, datanets, "DatanetCreated", { datanet, owner: desk.address, schemaHash, domain, metadataURI });
  event(deployed, datanets, "CuratorSet", { datanet, curator: desk.address, allowed: true });
  const created = await read(datanets, "datanetOf", datanet);
  sameFields("datanetOf", created, { owner: desk.address, contributions: 0, schemaHash, domain, metadataURI });
  same("ownerOf the Datanet", await read(datanetToken, "ownerOf", datanet), desk.address);
  await refused("UnknownDatanet", [unknownId], read(datanets, "datanetOf", unknownId));

  // It pledges rows; a block later it shows their root.
  const [root, salt] = [generatePrivateKey(), generatePrivateKey()];
  const commitment = await read(desk, "commitmentOf", root, salt);
  const encoded = encodeAbiParameters(
    [{ type: "uint256" }, { type: "uint64" }, { type: "address" }, { type: "bytes32" }, { type: "bytes32" }],
    [BigInt(id), datanet, desk.address, root, salt],
  );
  same("commitment", commitment, keccak256(encoded));
  const deposit = await read(datanets, "commitDeposit");
  await refused(
    "NotKeeper",
    [desk.address],
    reader.simulateContract({ ...desk, functionName: "pledge", args: [commitment], account: desk.address }),
  );
  const pledged = await send("pledge", [commitment], deposit);
  const { priority } = event(pledged, desk, "Pledged", { datanet, commitment, deposit });
  event(pledged, datanets, "Committed", { owner: desk.address, commitment, priority, deposit });
  await inTime("a block after the pledge", new Promise((resolve, reject) => {
    socket.watchBlocks({
      emitOnBegin: true,
      onBlock: ({ number }) => number > pledged.blockNumber && resolve(),
      onError: reject,
    });
  }));
  const announced = inTime("Contributed over WebSocket", new Promise((resolve, reject) => {
    socket.watchContractEvent({
      ...desk, eventName: "Contributed", onLogs: ([log]) => resolve(log.args), onError: reject,
    });
  }));
  announced.catch(() => {});
  const shown = await send("contribute", [root, salt, rows, licence, 0n]);
  const { contribution } = event(shown, desk, "Contributed", { datanet, rows });
  const revealed = { datanet, owner: desk.address, root, rows, licence, expiry: 0n, priority };
  event(shown, datanets, "Revealed", { contribution, ...revealed });
  sameFields("Contributed over WebSocket", await announced, { datanet, contribution, rows });
  sameFields("contributionOf", await read(datanets, "contributionOf", contribution), revealed);
  same("open commitment", await read(datanets, "commitmentOf", desk.address, commitment), [0n, 0n, 0n]);
  same("ownerOf the contribution", await read(contributionToken, "ownerOf", contribution), desk.address);

  // It stakes and takes the stake back in two parts.
  const staked = await send("stake", [], stakeWei);
  event(staked, desk, "Staked", { total: stakeWei, locked: 0n });
  event(staked, attribution, "Bonded", { attestor: desk.address, amount: stakeWei, total: stakeWei });
  for (const [amount, total] of [[unstakeWei, stakeWei - unstakeWei], [stakeWei - unstakeWei, 0n]]) {
    const unstaked = await send("unstake", [amount]);
    event(unstaked, desk, "Staked", { total, locked: 0n });
    event(unstaked, attribution, "Unbonded", { attestor: desk.address, amount, total });
    same("bondOf", await read(attribution, "bondOf", desk.address), [total, 0n]);
  }

  // It asks the first model, where there is one.
  const terms = await read(desk, "terms");
  const [minimum, maximum] = await read(payouts, "deadlineBounds");
  sameFields("terms", terms, { commitDeposit: deposit, minimumDeadline: minimum, maximumDeadline: maximum, bonded: 0n });
  const credit = await read(payouts, "creditOf", desk.address);
  same("creditOf", credit, 0n);
  let question = "no model to ask";
  let expectedEvents = 6;
  if (await read(attribution, "modelCount")) {
    const { fee } = await read(payouts, "quote", 1n, tokens, tokens);
    const { timestamp } = await reader.getBlock();
    const deadline = timestamp + (minimum + 60n < maximum ? minimum + 60n : maximum);
    const promptHash = keccak256(root);
    const asked = await send("ask", [1n, promptHash, deadline], fee);
    const { requestId } = event(asked, desk, "Asked", { asker: signer.address, model: 1n, maxFee: fee, deadline });
    event(asked, payouts, "Requested", {
      requestId, model: 1n, payer: desk.address, promptHash, maxFee: fee, deadline,
    });
    const request = { payer: desk.address, model: 1n, deadline, status: 1, maxFee: fee, promptHash };
    sameFields("requestOf", await read(payouts, "requestOf", requestId), request);
    question = `request ${requestId}`;
    expectedEvents = 7;
  }

  same("balance of the desk", await reader.getBalance({ address: desk.address }), 0n);
  const logs = await reader.getLogs({ address: desk.address, fromBlock: deployed.blockNumber });
  same("events of the desk", logs.length, expectedEvents);
  return `desk ${desk.address}, datanet ${datanet}, contribution ${contribution}, ${question}`;
});
