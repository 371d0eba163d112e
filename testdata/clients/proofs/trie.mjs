// Merkle-Patricia proofs.
import { decodeRlp, keccak256 } from "ethers";
import { same } from "../devnet.mjs";

/// What a proof says of a key: RLP, or undefined where there is nothing. Throws where it proves nothing.
export function proven(root, key, proof) {
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
