// What Payouts keeps, beside what its functions show.
import { same } from "../devnet.mjs";
import { sameAs } from "./storage.mjs";

const idsOf = (events, name) => new Set(events.map((event) => event[name]));

export async function provePayouts(storage, tails, people, at) {
  const { contract } = storage;
  const platform = await storage.at("_platform");
  same("platform", platform, await contract.platform(at));
  same("deadlines", [await storage.at("_minimumDeadline"), await storage.at("_maximumDeadline")],
    [...(await contract.deadlineBounds(at))]);
  for (const id of idsOf(await storage.events("Requested"), "requestId")) {
    sameAs(`request ${id}`, await storage.at("_requestOf", id), await contract.requestOf(id, at),
      "payer", "model", "deadline", "createdAt", "status", "maxFee", "promptHash");
  }
  for (const { requestId, leaves } of tails) {
    for (let index = 0n; index < leaves; index++) {
      const bits = await storage.at("_tailClaims", requestId, index / 256n);
      same(`leaf ${index} of ${requestId}`, ((bits >> (index % 256n)) & 1n) === 1n,
        await contract.isTailClaimed(requestId, index, at));
    }
  }
  const channels = idsOf(await storage.events("ChannelOpened"), "channel");
  for (const id of channels) {
    sameAs(`channel ${id}`, await storage.at("_channelOf", id), await contract.channelOf(id, at),
      "payer", "provider", "signer", "expiry", "deposit", "redeemed");
  }
  const streams = idsOf(await storage.events("StreamOpened"), "stream");
  for (const id of streams) {
    sameAs(`stream ${id}`, await storage.at("_streamOf", id), await contract.streamOf(id, at),
      "payer", "to", "start", "weiPerSecond", "deposit", "drawn");
  }
  for (const account of people.add(platform)) {
    same("creditOf", await storage.at("_creditOf", account), await contract.creditOf(account, at));
    same("nonces", await storage.at("_nonces", account), await contract.nonces(account, at));
  }
  return `${channels.size} channels, ${streams.size} streams, ${people.size} accounts`;
}
